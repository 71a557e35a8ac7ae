"""Guards the diffGrad step: the friction at its limits, the form without memory, empty buffers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kernels.diffgrad import KERNEL


def given(dtype: torch.dtype = torch.float32, n: int = 4099) -> dict[str, Any]:
    return KERNEL.example(n, dtype, torch.Generator().manual_seed(0))


def stepped(**changed: Any) -> torch.Tensor:
    """How far the weights moved."""
    arguments = given(torch.float64) | changed
    before = arguments["w"].clone()
    KERNEL(**arguments)
    moved: torch.Tensor = arguments["w"] - before
    return moved


def test_an_unchanged_gradient_moves_half_as_far_as_one_that_changed_beyond_measure() -> None:
    g = given(torch.float64)["g"]
    still = stepped(l2=0.0, previous=g.clone())
    assert torch.allclose(2 * still, stepped(l2=0.0, previous=g + 1e6), rtol=1e-12)
    assert torch.equal(still, stepped(l2=0.0, previous=None))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("t", [1, 2])
def test_without_memory_it_equals_the_reference(dtype: torch.dtype, t: int) -> None:
    ours, theirs = ({k: v.to(dtype) if isinstance(v, torch.Tensor) else v for k, v in given().items()} for _ in "12")
    for arguments in (ours, theirs):
        arguments.update(previous=None, t=t)
    KERNEL(**ours)
    KERNEL.reference(**theirs)
    assert (ours["w"] - theirs["w"]).abs().max() <= 4 * torch.finfo(dtype).eps


def test_the_previous_gradient_is_kept_with_its_penalty() -> None:
    arguments = given(torch.float64)
    expected = arguments["g"] + arguments["l2"] * arguments["w"]
    KERNEL(**arguments)
    assert torch.allclose(arguments["previous"], expected, rtol=1e-15)


def test_an_empty_buffer_is_no_work() -> None:
    KERNEL(**{k: v[:0] if isinstance(v, torch.Tensor) else v for k, v in given().items()})
