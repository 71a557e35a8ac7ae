"""The denoiser of a mixture against scipy, its limits, and a row's independence of the rows that follow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from kernels.gaussian_mixture import BLAS_FROM, gaussian_mixture


def given(rows, dim, components, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(components, dim, dtype=dtype, generator=generator)
    x = 2 * torch.randn(rows, dim, dtype=dtype, generator=generator)
    weights = torch.rand(components, dtype=dtype, generator=generator) + 0.1
    return {"x": x, "means": means, "log_weights": (weights / weights.sum()).log()}


@pytest.mark.parametrize("shape", [(1, 1, 1), (65, 2, 8), (70, 16, 33), (66, 256, 257)])
@pytest.mark.parametrize("sigma", [0.01, 1.0, 80.0])
def test_it_is_the_posterior_mean_by_direct_distances(shape, sigma):
    problem = given(*shape)
    x, means, log_weights = (t.numpy() for t in problem.values())
    variance = 0.3**2 + sigma**2
    logits = log_weights - ((x[:, None] - means) ** 2).sum(-1) / (2 * variance)
    posterior = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
    expected = (0.3**2 * x + sigma**2 * posterior @ means) / variance
    found = gaussian_mixture(**problem, spread=0.3, sigma=sigma)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("dim", "components"), [(2, 8), (16, 32), (256, BLAS_FROM // 256)])
def test_a_row_does_not_know_how_many_follow(dim, components, dtype):
    problem = given(200, dim, components, dtype)
    whole = gaussian_mixture(**problem, spread=0.3, sigma=0.7)
    for rows in (1, 7, 64, 65, 199):
        part = gaussian_mixture(**{**problem, "x": problem["x"][:rows]}, spread=0.3, sigma=0.7)
        assert torch.equal(part, whole[:rows])


def test_one_component_shrinks_towards_its_mean():
    problem = given(9, 3, 1)
    found = gaussian_mixture(**problem, spread=1.0, sigma=2.0)
    torch.testing.assert_close(found, (problem["x"] + 4 * problem["means"]) / 5, rtol=1e-14, atol=1e-14)


def test_a_component_of_weight_zero_is_not_there():
    problem = given(9, 3, 5)
    cut = {"x": problem["x"], "means": problem["means"][:4], "log_weights": problem["log_weights"][:4]}
    problem["log_weights"][4] = -torch.inf
    found = gaussian_mixture(**problem, spread=0.5, sigma=1.0)
    torch.testing.assert_close(found, gaussian_mixture(**cut, spread=0.5, sigma=1.0), rtol=1e-14, atol=1e-14)


def test_far_from_the_data_nothing_cancels():
    problem = given(50, 16, 8)
    problem["x"] *= 1e4
    narrow = {k: v.float() for k, v in problem.items()}
    exact = gaussian_mixture(**{k: v.double() for k, v in narrow.items()}, spread=0.3, sigma=1e4)
    torch.testing.assert_close(gaussian_mixture(**narrow, spread=0.3, sigma=1e4).double(), exact, rtol=2e-6, atol=2e-6)


def test_empty():
    assert gaussian_mixture(**given(0, 3, 4), spread=1.0, sigma=1.0).shape == (0, 3)


@pytest.mark.parametrize("name", ["x", "means", "log_weights"])
def test_wrong_shapes(name):
    problem = given(5, 3, 4)
    problem[name] = torch.zeros(7, 7, dtype=torch.float64)
    with pytest.raises(ValueError, match="do not fit"):
        gaussian_mixture(**problem, spread=1.0, sigma=1.0)
