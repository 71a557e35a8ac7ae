"""Guards what is timed: one tensor under two names is read once, and results come from memory in huge pages."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels.core.compile import empty_like
from kernels.core.kernel import Kernel
from kernels.core.measuring import measure

PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def test_one_tensor_under_two_names_stays_one() -> None:
    seen = []

    def form(x: Tensor, terms: tuple[Tensor, ...]) -> Tensor:
        seen.append((x.data_ptr(), terms[0].data_ptr(), terms[1].data_ptr()))
        return x + terms[1]

    def example(n: int, dtype: torch.dtype, generator: torch.Generator) -> dict[str, Any]:
        x = torch.ones(n, dtype=dtype)
        return {"x": x, "terms": (x, x.clone())}

    (ours, eager) = measure(Kernel("made-up", form, form, form, example, lambda arguments: 8_000), 1000)
    assert (ours.contender, eager.contender, ours.bytes) == ("made-up", "torch eager", 8_000)
    assert all(first == x != second for x, first, second in seen)


@pytest.mark.parametrize(("dtype", "shape"), [(torch.float32, None), (torch.float64, (5,)), (torch.bfloat16, (0, 2))])
def test_a_result_is_contiguous_and_takes_the_dtype(dtype: torch.dtype, shape: tuple[int, ...] | None) -> None:
    strided = torch.ones(4, 6, dtype=dtype).t()
    made = empty_like(strided, shape)
    assert (tuple(made.shape), made.dtype) == (shape or (6, 4), dtype)
    assert made.is_contiguous()


@pytest.mark.skipif(not PAGES.exists() or "[madvise]" not in PAGES.read_text(), reason="huge pages are not on demand")
def test_a_large_result_asks_for_huge_pages() -> None:
    made = empty_like(torch.empty(1), (8 << 20,))
    address = made.data_ptr() + 16 * mmap.PAGESIZE
    for mapping in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text()):
        begin, end = (int(word, 16) for word in mapping.split(" ")[0].split("-"))
        if begin <= address < end:
            assert " hg" in re.search(r"VmFlags:.*", mapping)[0]  # type: ignore[index]
            return
    raise AssertionError("the memory of the result is not mapped")
