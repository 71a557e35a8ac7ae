"""The mean of n vectors of one bit per entry and one scale each, as `kernels/onebit.py` packs them; n = 1 unpacks.

out_i = (1 / n) sum_k scales_k * s_ki,  s_ki = +1 where bit i % 8 of signs[k, i // 8] is set, else -1.

scales is (n,) in the dtype of the result, signs (n, ceil(d / 8)) uint8 with d = `size`, the result (d,).  Terms are
added in the order of k, in the dtype of the result, so all forms agree bit by bit.  An element moves its own number and
n / 8 bytes; its n additions bound the CPU form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numba import cuda
from torch import Tensor

from kernels.core.compile import array, njit
from kernels.core.cuda import cuda_kernel, grid
from kernels.core.kernel import Kernel

#: Bytes of a block on the CPU: its 8 numbers each stay in the first cache while the n vectors are added.
BLOCK = 128
#: A byte times REPEAT is that byte eight times; BITS leaves bit j of byte j.
REPEAT, BITS = np.uint64(0x0101010101010101), np.uint64(0x8040201008040201)


def reference(scales: Tensor, signs: Tensor, *, size: int) -> Tensor:
    """(size,) the mean."""
    _check(scales, signs, size)
    shifts = torch.arange(8, dtype=torch.uint8, device=signs.device)
    total = scales.new_zeros(size)
    for scale, row in zip(scales, signs, strict=True):
        up = ((row.unsqueeze(1) >> shifts) & 1).flatten()[:size].bool()
        total += torch.where(up, scale, -scale)
    return total / len(scales)


def cpu(scales: Tensor, signs: Tensor, *, size: int) -> Tensor:
    """Block by block, in each of them vector by vector."""
    _check(scales, signs, size)
    out = scales.new_empty(size)
    _cpu(array(scales), signs.numpy(), out.numpy())
    return out


def cuda_form(scales: Tensor, signs: Tensor, *, size: int) -> Tensor:
    """One launch; a sum stays in a register."""
    _check(scales, signs, size)
    out = scales.new_empty(size)
    if size:
        _cuda.launch(grid(size), scales, signs, out)
    return out


def _check(scales: Tensor, signs: Tensor, size: int) -> None:
    if scales.ndim != 1 or len(scales) == 0 or signs.dtype != torch.uint8:
        raise ValueError(f"scales {tuple(scales.shape)}, signs {signs.dtype}: at least one vector of bits is needed")
    if signs.shape != (len(scales), -(-size // 8)):
        raise ValueError(f"signs {tuple(signs.shape)} do not hold {len(scales)} vectors of {size} bits")


@njit
def _cpu(scales, signs, out):
    number = scales.dtype.type
    count, zero, none = number(scales.size), number(0), np.uint8(0)
    words = np.empty(BLOCK, np.uint64)
    flags = words.view(np.uint8)
    for start in range(0, signs.shape[1], BLOCK):
        part = out[8 * start : 8 * (start + BLOCK)]
        for i in range(part.size):
            part[i] = zero
        for k in range(scales.size):
            packed, scale = signs[k, start : start + BLOCK], scales[k]
            other = -scale
            for b in range(packed.size):
                words[b] = (np.uint64(packed[b]) * REPEAT) & BITS
            for i in range(part.size):
                part[i] += scale if flags[i] != none else other
        for i in range(part.size):
            part[i] /= count


@cuda_kernel("real[::1], uint8[:, ::1], real[::1]")
def _cuda(scales, signs, out):
    count = scales.size
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        total = scales[0] - scales[0]
        for k in range(count):
            total += scales[k] if (signs[k, i // 8] >> (i % 8)) & 1 else -scales[k]
        out[i] = total / count


def example(n: int, dtype: torch.dtype, generator: torch.Generator) -> dict[str, Any]:
    """Eight vectors of n bits; spare bits are set too."""
    signs = torch.randint(256, (8, -(-n // 8)), dtype=torch.uint8, generator=generator)
    return {"scales": torch.rand(8, dtype=dtype, generator=generator), "signs": signs, "size": n}


def bytes_moved(arguments: Mapping[str, Any]) -> int:
    scales, signs = arguments["scales"], arguments["signs"]
    return int(arguments["size"] * scales.element_size() + signs.numel())


KERNEL = onebit_mean = Kernel(
    name="onebit_mean",
    reference=reference,
    cpu=cpu,
    cuda=cuda_form,
    example=example,
    bytes_moved=bytes_moved,
    bound="additions",
)
