"""The largest entries against a stable sort: ties, orders that fill the buffer again and again, NaN."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kernels.core.kernel import use_backend
from kernels.top_k import top_k


def sorted_choice(x: torch.Tensor, k: int) -> np.ndarray:
    return np.sort(np.argsort(-x.abs().numpy(), kind="stable")[:k])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("order", ["random", "rising", "falling", "ties"])
@pytest.mark.parametrize("k", [1, 2, 64, 1000, 5000, 19_999, 20_000])
def test_it_is_a_stable_sort(k, order, dtype):
    x = torch.randn(20_000, dtype=dtype, generator=torch.Generator().manual_seed(k))
    if order == "ties":
        x = x.round()
    elif order != "random":
        x = x[x.abs().argsort(descending=order == "falling")]
    indices, values = top_k(x=x, k=k)
    np.testing.assert_array_equal(indices.numpy(), sorted_choice(x, k))
    assert torch.equal(values, x[indices])


def test_large_buffers_have_wider_digits():
    x = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(top_k(x=x, k=30_000)[0].numpy(), sorted_choice(x, 30_000))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_nan_comes_before_inf_and_ties_go_to_the_lowest_position(backend):
    x = torch.tensor([1.0, -torch.inf, 2.0, torch.nan, -2.0, torch.inf, 2.0, -0.0])
    with use_backend(backend):
        found = [top_k(x=x, k=k)[0].tolist() for k in range(1, 9)]
    order = [3, 1, 5, 2, 4, 6, 0, 7]
    assert found == [sorted(order[:k]) for k in range(1, 9)]


def test_equal_entries_are_taken_from_the_front():
    assert top_k(x=torch.full((9000,), -1.0), k=5)[0].tolist() == [0, 1, 2, 3, 4]
    assert top_k(x=torch.zeros(4), k=2)[0].tolist() == [0, 1]


@pytest.mark.parametrize("k", [0, 4])
def test_wrong_k(k):
    with pytest.raises(ValueError, match=f"k is {k}"):
        top_k(x=torch.zeros(3), k=k)


def test_wrong_shape():
    with pytest.raises(ValueError, match="vector"):
        top_k(x=torch.zeros(3, 3), k=1)
