"""Multinomial resampling: the distribution function is inverted, with the bits of the reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from kernels.core.kernel import use_backend
from kernels.multinomial_resampling import multinomial_resampling


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("power", [1, 40])
@pytest.mark.parametrize(("rows", "n", "draws"), [(1, 1, 5), (1, 3000, 4000), (30, 77, 5), (4, 9, 0)])
def test_it_has_the_bits_of_the_reference_and_of_numpy(rows, n, draws, power):
    weights, uniforms = random(rows, n) ** power, random(rows, draws, seed=1)
    found = []
    for backend in ("reference", "cpu"):
        with use_backend(backend):
            found.append(multinomial_resampling(weights=weights, uniforms=uniforms))
    assert torch.equal(*found)
    for row, u, ancestors in zip(weights.numpy().cumsum(1), uniforms.numpy(), found[1].numpy(), strict=True):
        np.testing.assert_array_equal(ancestors, np.searchsorted(row, u * row[-1], side="right").clip(max=n - 1))


def test_points_on_a_sum_go_to_the_next_particle_that_has_weight():
    weights = torch.tensor([[0.0, 1.0, 0.0, 1.0, 2.0, 0.0]], dtype=torch.float64)
    uniforms = torch.tensor([[0.0, 0.25, 0.5, 1 - 2**-53]], dtype=torch.float64)
    assert multinomial_resampling(weights=weights, uniforms=uniforms).tolist() == [[1, 3, 4, 4]]


def test_counts_follow_the_weights():
    weights = random(1, 20)
    counts = multinomial_resampling(weights=weights, uniforms=random(1, 100_000, seed=3))[0].bincount(minlength=20)
    assert stats.chisquare(counts.numpy(), (weights[0] / weights.sum() * 100_000).numpy()).pvalue > 1e-3


@pytest.mark.parametrize("bad", [0.0, torch.nan, torch.inf])
def test_senseless_weights_give_positions_all_the_same(bad):
    found = multinomial_resampling(weights=torch.full((2, 9), bad).double(), uniforms=random(2, 50))
    assert ((found >= 0) & (found < 9)).all()


def test_wrong_shapes():
    with pytest.raises(ValueError, match="wanted"):
        multinomial_resampling(weights=random(2, 3), uniforms=random(3, 3))
    with pytest.raises(ValueError, match="wanted"):
        multinomial_resampling(weights=random(2, 0), uniforms=random(2, 3))
