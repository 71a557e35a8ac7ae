"""Guards systematic resampling: its counts, its average over u, and the effective sample size."""

import math

import numpy as np
import pytest
import torch

from harness.parts.resampling import effective_sample_size, systematic_resample


def log_weights(n, seed=0, scale=2.0):
    return scale * torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 2, 7, 1000])
@pytest.mark.parametrize("u", [0.0, 0.3, 0.999999])
def test_each_particle_is_copied_floor_or_ceil_of_its_share(n, u):
    logs = log_weights(n) + 700  # far beyond what exp can hold
    ancestors = systematic_resample(logs, u)
    shares = n * logs.softmax(0)
    counts = torch.bincount(ancestors, minlength=n)
    assert ((counts >= (shares - 1e-9).floor()) & (counts <= (shares + 1e-9).ceil())).all()
    assert ancestors.shape == (n,)
    assert (ancestors.diff() >= 0).all()


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
    assert systematic_resample(logs, u).tolist() == expected


def test_copies_are_in_proportion_on_average_over_u():
    logs, n = log_weights(9), 9
    comb = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    counts = sum(torch.bincount(systematic_resample(logs, u), minlength=n) for u in comb.tolist()) / 2000
    torch.testing.assert_close(counts.double(), n * logs.softmax(0), rtol=0, atol=1 / 2000 + 1e-9)


def test_equal_weights_give_each_particle_once():
    assert systematic_resample(torch.full((100,), -3.0, dtype=torch.float64), 0.5).tolist() == list(range(100))


def test_particles_without_weight_are_never_copied():
    logs = torch.tensor([-math.inf, 0.0, -math.inf, 0.0, -math.inf], dtype=torch.float64)
    for u in (0.0, 0.4, 1 - 1e-16):
        assert set(systematic_resample(logs, u).tolist()) == {1, 3}


def test_effective_sample_size_has_its_limits():
    assert effective_sample_size(torch.full((50,), 900.0, dtype=torch.float64)) == pytest.approx(50)
    one = torch.tensor([0.0, -math.inf, -math.inf], dtype=torch.float64)
    assert effective_sample_size(one) == pytest.approx(1)
    weights = log_weights(30).exp()
    expected = float(weights.sum() ** 2 / weights.square().sum())
    assert effective_sample_size(weights.log() - 800) == pytest.approx(expected, rel=1e-9)
