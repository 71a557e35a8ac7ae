"""Guards the selection of thresholds: numpy's selection at every rank, ties, several pieces, NaN and inf."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from kernels.core.kernel import use_backend
from kernels.magnitude_threshold import magnitude_threshold


def normal(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_rank_equals_a_full_sort(dtype: torch.dtype) -> None:
    base, *experts = normal(4, 41, dtype=dtype).unbind()
    ordered = np.sort(np.stack([(e - base).abs().numpy() for e in experts]), axis=1)
    for rank in range(1, 42):
        found, _ = magnitude_threshold(base=[base], experts=[[e] for e in experts], rank=rank)
        assert found.tolist() == ordered[:, rank - 1].tolist()


def test_pieces_count_as_one_vector() -> None:
    base, *experts = normal(4, 900).unbind()
    cuts = [100, 0, 799, 1]
    whole, _ = magnitude_threshold(base=[base], experts=[[e] for e in experts], rank=700)
    pieces, _ = magnitude_threshold(base=base.split(cuts), experts=[e.split(cuts) for e in experts], rank=700)
    assert torch.equal(whole, pieces)


def test_equal_magnitudes_of_both_signs_tie() -> None:
    expert = torch.tensor([2.0, -2.0, 2.0, -1.0, 0.0, -0.0])
    found = [magnitude_threshold(base=[torch.zeros(6)], experts=[[expert]], rank=r)[0].item() for r in range(1, 7)]
    assert found == [0, 0, 1, 2, 2, 2]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_nan_orders_above_inf_and_both_are_counted(backend: Any) -> None:
    expert = torch.tensor([1.0, torch.nan, -torch.inf, 3.0, torch.inf])
    with use_backend(backend):
        found = [magnitude_threshold(base=[torch.zeros(5)], experts=[[expert]], rank=r) for r in range(1, 6)]
    assert [thresholds.item() for thresholds, _ in found[:4]] == [1.0, 3.0, torch.inf, torch.inf]
    assert found[4][0].isnan().all()
    assert all(odd.tolist() == [3] for _, odd in found)


def test_denormals_and_extremes_are_exact() -> None:
    values = torch.tensor([1e-45, 3e-39, 3.4e38, 1.0, 1.0000001])
    found = [magnitude_threshold(base=[torch.zeros(5)], experts=[[-values]], rank=r)[0].item() for r in range(1, 6)]
    assert found == values.sort().values.tolist()


def test_pieces_of_different_dtypes_are_compared_in_the_widest() -> None:
    base = [torch.zeros(2), torch.zeros(2, dtype=torch.float64)]
    experts = [[torch.tensor([1.0, 3.0]), torch.tensor([2.0, 4.0], dtype=torch.float64)]]
    found, _ = magnitude_threshold(base=base, experts=experts, rank=3)
    assert found.dtype == torch.float64
    assert found.tolist() == [3.0]


@pytest.mark.parametrize("rank", [0, 6])
def test_ranks_outside_are_refused(rank: int) -> None:
    with pytest.raises(ValueError, match=f"rank {rank} of 5 entries"):
        magnitude_threshold(base=[torch.zeros(5)], experts=[[torch.ones(5)]], rank=rank)
