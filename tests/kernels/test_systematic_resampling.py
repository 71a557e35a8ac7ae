"""Systematic resampling: its counts, a loop over the comb, its average over u, and equal ancestors in all forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kernels.core.kernel import use_backend
from kernels.systematic_resampling import systematic_resampling


def log_weights(n: int, seed: int = 0, scale: float = 2.0) -> torch.Tensor:
    return scale * torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ancestors(logs: torch.Tensor, u: float) -> torch.Tensor:
    """Those of one group, whose particles are their own numbers."""
    n = len(logs)
    particles, uniforms = torch.arange(n).double().view(1, n, 1), torch.tensor([u], dtype=torch.float64)
    copies, chosen = systematic_resampling(particles=particles, log_weights=logs.unsqueeze(0), uniforms=uniforms)
    assert torch.equal(copies[..., 0].long(), chosen)
    return chosen[0]


@pytest.mark.parametrize("n", [1, 2, 7, 1000])
@pytest.mark.parametrize("u", [0.0, 0.3, 0.999999])
def test_each_particle_is_copied_floor_or_ceil_of_its_share(n, u):
    logs = log_weights(n) + 700  # far beyond what exp can hold
    chosen, shares = ancestors(logs, u), n * logs.softmax(0)
    counts = torch.bincount(chosen, minlength=n)
    assert ((counts >= (shares - 1e-9).floor()) & (counts <= (shares + 1e-9).ceil())).all()
    assert (chosen.diff() >= 0).all()


@pytest.mark.parametrize("u", [0.0, 0.17, 0.9])
def test_equals_a_loop_over_the_comb(u):
    logs = log_weights(40, seed=3)
    weights = np.exp(logs.numpy()) / np.exp(logs.numpy()).sum()
    expected, particle, reached = [], 0, weights[0]
    for j in range(40):
        while reached <= (j + u) / 40:
            particle += 1
            reached += weights[particle]
        expected.append(particle)
    assert ancestors(logs, u).tolist() == expected


def test_copies_are_in_proportion_on_average_over_u():
    logs, n = log_weights(9), 9
    comb = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    groups = {"particles": torch.zeros(2000, n, 0), "log_weights": logs.expand(2000, n), "uniforms": comb}
    _, chosen = systematic_resampling(**groups)
    counts = torch.bincount(chosen.flatten(), minlength=n) / 2000
    torch.testing.assert_close(counts.double(), n * logs.softmax(0), rtol=0, atol=1 / 2000 + 1e-9)


def test_equal_weights_give_each_particle_once():
    for u in (0.0, 0.5):
        assert ancestors(torch.full((100,), -3.0, dtype=torch.float64), u).tolist() == list(range(100))


def test_particles_without_weight_are_never_copied():
    logs = torch.tensor([-math.inf, 0.0, -math.inf, 0.0, -math.inf], dtype=torch.float64)
    for u in (0.0, 0.4, 1 - 1e-16):
        assert set(ancestors(logs, u).tolist()) == {1, 3}


@pytest.mark.parametrize(("groups", "n", "columns"), [(1, 5000, 1), (7, 333, 3), (50, 2, 1)])
def test_all_forms_choose_the_same(groups, n, columns):
    generator = torch.Generator().manual_seed(n)
    given = {
        "particles": torch.randn(groups, n, columns, generator=generator),
        "log_weights": 5 * torch.randn(groups, n, generator=generator, dtype=torch.float64),
        "uniforms": torch.rand(groups, generator=generator, dtype=torch.float64),
    }
    found = []
    for backend in ("reference", "cpu"):
        with use_backend(backend):
            found.append(systematic_resampling(**given))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_senseless_weights_give_positions_all_the_same(bad):
    chosen = ancestors(torch.full((9,), bad, dtype=torch.float64), 0.5)
    assert ((chosen >= 0) & (chosen < 9)).all()


@pytest.mark.parametrize("shape", [(0, 5, 2), (3, 0, 2), (3, 5, 0)])
def test_empty(shape):
    copies, chosen = systematic_resampling(
        particles=torch.zeros(shape),
        log_weights=torch.zeros(shape[:2], dtype=torch.float64),
        uniforms=torch.zeros(shape[0], dtype=torch.float64),
    )
    assert (copies.shape, chosen.shape) == (shape, shape[:2])


def test_wrong_shapes_and_dtypes():
    given = {"particles": torch.zeros(1, 4, 2), "log_weights": torch.zeros(1, 4), "uniforms": torch.zeros(1)}
    with pytest.raises(ValueError, match="float64"):
        systematic_resampling(**given)
    with pytest.raises(ValueError, match="wanted"):
        systematic_resampling(**{k: v.double() for k, v in given.items() if k != "uniforms"}, uniforms=torch.zeros(2))
