"""Guards the Adam step: torch's optimizer as oracle, exact ends of the mean, empty buffers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kernels.adam import KERNEL
from tests.oracles import agree


def given(dtype: torch.dtype = torch.float32, n: int = 4099) -> dict[str, Any]:
    return KERNEL.example(n, dtype, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_first_steps_equal_torchs(dtype: torch.dtype) -> None:
    arguments = given(dtype)
    theirs = torch.nn.Parameter(arguments["w"].clone())
    optimizer = torch.optim.AdamW([theirs], lr=1e-3, weight_decay=10.0)
    arguments["m"].zero_()
    arguments["v"].zero_()
    for t in (1, 2, 3):
        theirs.grad = arguments["g"].clone()
        optimizer.step()
        KERNEL(**arguments | {"t": t, "decay": 0.99})
    what, tolerance = "3 steps of the kernel", 8 * torch.finfo(dtype).eps
    agree("adamw", "torch.optim.AdamW", arguments["w"], theirs, what=what, atol=tolerance)


def test_without_memory_the_means_are_those_of_this_gradient_to_the_bit() -> None:
    arguments = given() | {"betas": (0.0, 0.0)}
    KERNEL(**arguments)
    assert torch.equal(arguments["m"], arguments["g"])
    assert torch.equal(arguments["v"], arguments["g"] ** 2)


def test_an_empty_buffer_is_no_work() -> None:
    KERNEL(**{k: v[:0] if isinstance(v, torch.Tensor) else v for k, v in given().items()})
