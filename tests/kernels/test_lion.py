"""Guards the Lion step: signs, exact ends, empty buffers, equal bits in parts."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kernels.core.kernel import use_backend
from kernels.lion import KERNEL


def given(dtype: torch.dtype = torch.float32, n: int = 4099) -> dict[str, Any]:
    return KERNEL.example(n, dtype, torch.Generator().manual_seed(0))


def test_every_weight_moves_by_the_rate_and_one_without_direction_stays() -> None:
    w, m = torch.zeros(3), torch.tensor([1.0, -1.0, 0.0])
    KERNEL(w=w, g=torch.zeros(3), m=m, lr=0.25, betas=(0.5, 0.5), decay=1.0)
    assert w.tolist() == [-0.25, 0.25, 0.0]
    assert m.tolist() == [0.5, -0.5, 0.0]


def test_without_memory_the_mean_is_the_gradient_to_the_bit() -> None:
    arguments = given() | {"betas": (0.0, 0.0)}
    KERNEL(**arguments)
    assert torch.equal(arguments["m"], arguments["g"])


def test_parts_have_the_bits_of_the_whole() -> None:
    whole, parts = given(), given()
    with use_backend("cpu"):
        KERNEL(**whole)
        for part in (slice(0, 1000), slice(1000, None)):
            KERNEL(**{k: v[part] if isinstance(v, torch.Tensor) else v for k, v in parts.items()})
    assert torch.equal(whole["w"], parts["w"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_an_empty_buffer_is_no_work(dtype: torch.dtype) -> None:
    KERNEL(**{k: v[:0].to(dtype) if isinstance(v, torch.Tensor) else v for k, v in given().items()})
