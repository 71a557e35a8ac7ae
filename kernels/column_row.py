"""Sum of chosen column-row pairs of a matrix product: out = sum_j scale_j a[:, index_j] b[index_j, :].

The estimators of column-row sampling end in it: Drineas, Kannan, Mahoney, doi:10.1137/S0097539704442684.

a is (m, n), b (n, p), scale (k,), of one dtype; index (k,) int64 in [0, n), repetitions allowed; out (m, p) is new, and
zeros for k = 0.  An index outside raises IndexError on the CPU and is not looked at on CUDA.  Chosen columns and rows
are read where they lie.  Equal arguments give equal bits on one machine.

The CPU form adds pair by pair, without a copy, while k m p is at most MOST of the dtype.  There it takes 0.6 to 0.9 of
the time of torch's index_select and BLAS, and half of that of `reference`, apart from some 5 us a call for checks,
which outweigh that for the smallest products.  Beyond, index_select and BLAS win, with float32 by up to 3 times, and it
calls them.  At k = 300 the limits are 10 x 10 outputs in float32 and 59 x 59 in float64.  The CUDA form calls them
beyond CUDA_SMALL outputs, which is not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numba import cuda
from torch import Tensor

from kernels.core.compile import njit, scalars
from kernels.core.cuda import cuda_kernel
from kernels.core.kernel import SIMULATED, Kernel

#: k m p up to which adding pair by pair beats gathering and BLAS on the CPU.
MOST = {torch.float32: 2**15, torch.float64: 2**20}
#: Outputs up to which CUDA does without cuBLAS.
CUDA_SMALL = 4096
#: A block of CUDA makes SIDE x SIDE outputs and reads SIDE pairs at a time.
SIDE = 4 if SIMULATED else 16
TILE = SIDE * SIDE


def reference(a: Tensor, b: Tensor, index: Tensor, scale: Tensor) -> Tensor:
    """Copy the columns and the rows, and multiply."""
    _check(a, b, index, scale)
    return (a[:, index] * scale) @ b[index]


def cpu(a: Tensor, b: Tensor, index: Tensor, scale: Tensor) -> Tensor:
    """Pair by pair, or by BLAS."""
    _check(a, b, index, scale)
    if len(index) * len(a) * b.shape[1] > MOST[a.dtype]:
        if int(index.min()) < 0 or int(index.max()) >= len(b):
            raise IndexError(f"an index is outside [0, {len(b)})")
        return _library(a.detach(), b.detach(), index, scale.detach())
    out = torch.zeros(len(a), b.shape[1], dtype=a.dtype)
    if not _cpu(a.detach().numpy(), b.detach().numpy(), index.numpy(), scale.detach().numpy(), out.numpy()):
        raise IndexError(f"an index is outside [0, {len(b)})")
    return out


def cuda_form(a: Tensor, b: Tensor, index: Tensor, scale: Tensor) -> Tensor:
    """One launch over tiles of the output, or cuBLAS."""
    _check(a, b, index, scale)
    out = torch.zeros(len(a), b.shape[1], dtype=a.dtype, device=a.device)
    if out.numel() > CUDA_SMALL:
        return _library(a.detach(), b.detach(), index, scale.detach())
    if out.numel():
        blocks = -(-len(a) // SIDE) * -(-b.shape[1] // SIDE)
        _cuda.launch(blocks, a, b, index, scale, out, *scalars(a, 0.0), threads=TILE)
    return out


def _library(a: Tensor, b: Tensor, index: Tensor, scale: Tensor) -> Tensor:
    return (a.index_select(1, index) * scale) @ b.index_select(0, index)


def _check(a: Tensor, b: Tensor, index: Tensor, scale: Tensor) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != len(b) or index.ndim != 1 or index.shape != scale.shape:
        shapes = ", ".join(str(tuple(t.shape)) for t in (a, b, index, scale))
        raise ValueError(f"a, b, index and scale of shapes {shapes}: give (m, n), (n, p), (k,) and (k,)")
    if a.dtype != b.dtype or a.dtype != scale.dtype or index.dtype != torch.int64:
        raise ValueError(f"a, b, index and scale of dtypes {a.dtype}, {b.dtype}, {index.dtype} and {scale.dtype}")


@njit
def _cpu(a, b, index, scale, out):
    rows, columns = out.shape
    for j in range(index.size):
        i = index[j]
        if i < 0 or i >= b.shape[0]:
            return False
        for r in range(rows):
            weight = a[r, i] * scale[j]
            for c in range(columns):
                out[r, c] += weight * b[i, c]
    return True


@cuda_kernel("real[:, ::1], real[:, ::1], int64[::1], real[::1], real[:, ::1], real")
def _cuda(a, b, index, scale, out, total):
    left = cuda.shared.array((SIDE, SIDE), out.dtype)
    right = cuda.shared.array((SIDE, SIDE), out.dtype)
    rows, columns = out.shape
    tiles = (columns + SIDE - 1) // SIDE
    y, x = cuda.threadIdx.x // SIDE, cuda.threadIdx.x % SIDE
    row, column = cuda.blockIdx.x // tiles * SIDE + y, cuda.blockIdx.x % tiles * SIDE + x
    for begin in range(0, index.size, SIDE):
        count = min(SIDE, index.size - begin)
        if x < count and row < rows:
            left[y, x] = a[row, index[begin + x]] * scale[begin + x]
        if y < count and column < columns:
            right[y, x] = b[index[begin + y], column]
        cuda.syncthreads()
        if row < rows and column < columns:
            for j in range(count):
                total += left[y, j] * right[j, x]
        cuda.syncthreads()
    if row < rows and column < columns:
        out[row, column] = total


def example(n: int, dtype: torch.dtype, generator: torch.Generator) -> dict[str, Any]:
    """About n numbers in the chosen columns and rows, for 20 x 24 outputs at most; half of the pairs are chosen."""
    m, p = min(20, 1 + n // 4), min(24, 1 + n // 5)
    k = max(1, n // (m + p))
    a = torch.randn(m, 2 * k, dtype=dtype, generator=generator)
    b = torch.randn(2 * k, p, dtype=dtype, generator=generator)
    index = torch.randint(2 * k, (k,), generator=generator)
    return {"a": a, "b": b, "index": index, "scale": torch.rand(k, dtype=dtype, generator=generator) + 0.5}


def bytes_moved(arguments: Mapping[str, Any]) -> int:
    """Columns and rows that were chosen, once for each choice, with their weights, and the result."""
    m, p, k = len(arguments["a"]), arguments["b"].shape[1], len(arguments["index"])
    return int((k * (m + p + 1) + m * p) * arguments["a"].element_size() + 8 * k)


KERNEL = gather_scale_matmul = Kernel(
    name="column_row",
    reference=reference,
    cpu=cpu,
    cuda=cuda_form,
    example=example,
    bytes_moved=bytes_moved,
    bound="product",
)
