"""Guards the SGDP step: the authors' package as oracle, which tensors are projected, equal bits, empty buffers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kernels.sgdp import KERNEL, tensors
from tests.oracles import agree, oracle_package


def given(dtype: torch.dtype = torch.float32, n: int = 4099) -> dict[str, Any]:
    return KERNEL.example(n, dtype, torch.Generator().manual_seed(0))


@pytest.mark.full
@pytest.mark.parametrize("nesterov", [False, True])
def test_steps_equal_those_of_the_authors(nesterov: bool) -> None:
    oracle, what = "adamp.SGDP", "3 steps of the kernel"
    adamp = oracle_package("sgdp", oracle, "adamp", what=what)
    arguments = given(torch.float64) | {"nesterov": nesterov}
    for name in ("direction",):
        arguments[name].zero_()
    weights = [torch.nn.Parameter(w.clone()) for w in tensors(arguments["w"], arguments["segments"])]
    for w, g in zip(weights, tensors(arguments["g"], arguments["segments"]), strict=True):
        w.grad = g.clone()
    settings = ("lr", "momentum", "dampening", "eps", "weight_decay", "delta", "wd_ratio", "nesterov")
    optimizer = adamp.SGDP(weights, **{name: arguments[name] for name in settings})
    for _ in range(3):
        optimizer.step()
        KERNEL(**arguments)
    ends = tensors(arguments["w"], arguments["segments"])
    agree("sgdp", oracle, list(ends), weights, what=what, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("delta", [0.0, 0.1, 1e9])
def test_every_way_to_project_equals_the_reference(dtype: torch.dtype, nesterov: bool, delta: float) -> None:
    ours, theirs = (given(dtype) | {"nesterov": nesterov, "delta": delta, "lr": 0.1} for _ in range(2))
    KERNEL(**ours)
    KERNEL.reference(**theirs)
    for name in ("w", *("direction",)):
        assert torch.allclose(ours[name], theirs[name], rtol=0, atol=8 * torch.finfo(dtype).eps)


def test_only_the_tensors_made_so_are_projected() -> None:
    free, bound = (given(torch.float64) | {"delta": delta, "weight_decay": 0.0} for delta in (0.0, 0.1))
    for arguments in (free, bound):
        KERNEL(**arguments)
    pairs = zip(*(tensors(x["w"], x["segments"]) for x in (free, bound)), strict=True)
    assert [torch.equal(a, b) for a, b in pairs] == [True, True, False, False]


def test_a_tensor_has_the_same_bits_alone() -> None:
    whole, alone = given(), given()
    start, rows, columns = whole["segments"][2]
    part = slice(start, start + rows * columns)
    KERNEL(**whole)
    cut = {k: v[part] if isinstance(v, torch.Tensor) else v for k, v in alone.items()}
    KERNEL(**cut | {"segments": ((0, rows, columns),)})
    assert torch.equal(whole["w"][part], cut["w"])


@pytest.mark.parametrize("segments", [(), ((0, 0, 0),)])
def test_nothing_is_no_work(segments: Any) -> None:
    arguments = {k: v[:0] if isinstance(v, torch.Tensor) else v for k, v in given().items()}
    KERNEL(**arguments | {"segments": segments})
