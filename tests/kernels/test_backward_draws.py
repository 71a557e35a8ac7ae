"""Backward draws: their law by chi-square, equal draws in all forms, and draws that know nothing of others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scipy import stats

from kernels import backward_draws as kernel
from kernels.backward_draws import backward_draws
from kernels.core.kernel import use_backend


def f64(*values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def given(repeats: int = 3, n: int = 40, **settings: Any) -> dict[str, Any]:
    old, noise, logs = torch.randn(3, repeats, n, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    made = {"means": old, "weights": logs.exp(), "new": old + 2 * noise, "draws": 2, "trials": 3, "scale": 0.6}
    return {**made, "key": 5, **settings}


@pytest.mark.parametrize("trials", [0, 1, 4])
def test_draws_follow_the_exact_law(trials):
    """One of the new particles lies far from all old ones, so that it is left to the exact draw."""
    means, weights, new = f64([-0.4, 0.1, 0.3, 0.9, 5.0]), f64([1.0, 4.0, 0.0, 2.0, 2.0]), f64([0.2, 3.1, -6.0])
    found = backward_draws(means=means, weights=weights, new=new, key=1, draws=40_000, trials=trials, scale=0.6)
    assert found.shape == (1, 3, 40_000)
    for i, x in enumerate(new[0].tolist()):
        law = weights[0].numpy() * stats.norm.pdf(x, means[0].numpy(), 0.6)
        possible, counts = law > 1e-4 * law.sum(), found[0, i].bincount(minlength=5).numpy()
        expected = law[possible] / law[possible].sum() * counts[possible].sum()
        assert counts[~possible].sum() <= 20
        assert possible.sum() == 1 or stats.chisquare(counts[possible], expected).pvalue > 1e-3


def test_draws_of_a_particle_are_independent():
    """Pairs of draws of 20,000 equal particles are as often equal as the law says."""
    means, weights = f64([0.0, 0.5, 1.0]), f64([1.0, 1.0, 2.0])
    new = torch.full((1, 20_000), 0.6, dtype=torch.float64)
    found = backward_draws(means=means, weights=weights, new=new, key=3, draws=2, trials=2, scale=0.6)[0]
    law = weights[0].numpy() * stats.norm.pdf(0.6, means[0].numpy(), 0.6)
    equal = float((law**2).sum() / law.sum() ** 2)
    assert (found[:, 0] == found[:, 1]).double().mean().item() == pytest.approx(equal, abs=4 * 0.5 / 20_000**0.5)


@pytest.mark.parametrize("trials", [0, 1, 5])
@pytest.mark.parametrize(("repeats", "n"), [(1, 1), (1, 700), (20, 33)])
def test_all_forms_draw_the_same(repeats, n, trials):
    found = []
    for backend in ("reference", "cpu"):
        with use_backend(backend) as ran:
            found.append(backward_draws(**given(repeats, n, trials=trials)))
        assert ran == {"backward_draws": backend}
    assert torch.equal(*found)


def test_the_reference_draws_the_same_in_blocks(monkeypatch):
    whole = kernel.reference(**given(trials=0))
    monkeypatch.setattr(kernel, "BLOCK", 7 * 40)
    assert torch.equal(kernel.reference(**given(trials=0)), whole)


def test_more_draws_and_more_particles_leave_the_first_ones():
    few, many = (backward_draws(**given(1, draws=draws)) for draws in (2, 5))
    assert torch.equal(few, many[..., :2])
    part = given(1)
    part["new"] = part["new"][:, :17].contiguous()
    assert torch.equal(backward_draws(**part), few[:, :17])


def test_another_key_gives_other_draws():
    assert not torch.equal(backward_draws(**given()), backward_draws(**given(key=6)))


def test_particles_without_weight_are_never_drawn():
    made = given(2, 50, draws=20)
    made["weights"][:, ::2] = 0
    made["weights"][:, -5:] = 0
    for trials in (0, 4):
        found = backward_draws(**{**made, "trials": trials})
        assert (made["weights"].gather(1, found.flatten(1)) > 0).all()


def test_senseless_weights_give_positions_all_the_same():
    for bad in (0.0, torch.nan, torch.inf):
        made = given()
        made["weights"].fill_(bad)
        found = backward_draws(**made)
        assert ((found >= 0) & (found < 40)).all()


def test_nothing_to_draw():
    made = given(2)
    made["new"] = made["new"][:, :0]
    assert backward_draws(**made).shape == (2, 0, 2)


@pytest.mark.parametrize("wrong", [{"draws": 0}, {"trials": -1}, {"new": torch.zeros(2, 4).double()}], ids=str)
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match=r"draws is|wanted"):
        backward_draws(**given(**wrong))
