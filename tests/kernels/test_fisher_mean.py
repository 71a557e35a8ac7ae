"""Guards the Fisher-weighted mean: numpy's formula, its limits, mixed precision, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kernels.fisher_mean import fisher_mean


def random(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_numpys_weighted_average(dtype: torch.dtype) -> None:
    thetas, fishers = random(5, 70, dtype=dtype), random(5, 70).square()
    merged = fisher_mean(thetas=list(thetas), fishers=list(fishers), eps=1e-3, scales=[1, 2, 3, 4, 5])
    weights = fishers.numpy() * np.arange(1, 6)[:, None] + 1e-3
    expected = np.average(thetas.double().numpy(), axis=0, weights=weights)
    assert merged.dtype == dtype
    np.testing.assert_allclose(merged.numpy(), expected, rtol=4 * torch.finfo(dtype).eps, atol=torch.finfo(dtype).eps)


def test_without_information_it_is_the_mean_and_with_one_expert_itself() -> None:
    thetas = list(random(3, 2, 5))
    nothing = [torch.zeros(2, 5, dtype=torch.float64)] * 3
    mean = fisher_mean(thetas=thetas, fishers=nothing, eps=1e-6)
    torch.testing.assert_close(mean, torch.stack(thetas).mean(0), rtol=1e-14, atol=1e-15)
    alone = fisher_mean(thetas=thetas[:1], fishers=[thetas[1].square()], eps=1e-6)
    torch.testing.assert_close(alone, thetas[0], rtol=1e-15, atol=0)


def test_fishers_in_float32_are_widened() -> None:
    thetas, fishers = list(random(2, 9, dtype=torch.float32)), list(random(2, 9, dtype=torch.float32).square())
    merged = fisher_mean(thetas=thetas, fishers=fishers, eps=1e-6)
    assert torch.equal(merged, fisher_mean(thetas=thetas, fishers=[f.double() for f in fishers], eps=1e-6))


def test_empty_tensors_pass_and_what_does_not_fit_is_refused() -> None:
    empty = [torch.zeros(0, 2)]
    assert fisher_mean(thetas=empty, fishers=empty, eps=1e-6).shape == (0, 2)
    with pytest.raises(ValueError, match="2 experts, 1 Fishers and 2 scales"):
        fisher_mean(thetas=[torch.zeros(2)] * 2, fishers=[torch.zeros(2)], eps=1e-6)
