"""Multinomial resampling by inversion: independent copies of weighted particles.

ancestors[r, k] = the first j with C_j > uniforms[r, k] C_N,  C_j = sum_{l <= j} weights[r, l]: j with probability
weights[r, j] / C_N.

weights (R, N) >= 0, not all of a row 0, and uniforms (R, K) in [0, 1), both float64; the result is int64 (R, K).
Nothing is written to.  Weights that are not finite, or all 0, give ancestors without meaning, but in 0 ... N - 1.

The CPU form keeps for each of N equal shares of C_N where to begin, so a draw takes a few steps instead of log2 N; that
is random access, its bound, and it has the bits of the reference.  Running sums are taken in the order of j, on a GPU
by threads with a part each, so that a draw within rounding of a sum may fall to its neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numba import cuda
from torch import Tensor

from kernels.core.compile import njit
from kernels.core.cuda import SHARED, both, cuda_kernel, grid
from kernels.core.kernel import Kernel


def reference(weights: Tensor, uniforms: Tensor) -> Tensor:
    """Ancestors (R, K)."""
    _check(weights, uniforms)
    return inverted(weights.cumsum(1), uniforms)


def inverted(running: Tensor, uniforms: Tensor) -> Tensor:
    """The first of each row whose running sum is above the uniform's share of the whole."""
    total = running[:, -1:].contiguous()
    last = torch.searchsorted(running, total)  # where the sum is complete: rounding must not lead beyond it
    return torch.searchsorted(running, uniforms * total, right=True).minimum(last)


def cpu(weights: Tensor, uniforms: Tensor) -> Tensor:
    """Row by row, with a table of where to begin."""
    _check(weights, uniforms)
    ancestors = torch.empty(uniforms.shape, dtype=torch.int64)
    _cpu(weights.detach().numpy(), uniforms.numpy(), ancestors.numpy())
    return ancestors


def cuda_form(weights: Tensor, uniforms: Tensor) -> Tensor:
    """Two launches: running sums by a block for each row; a thread for each draw, by bisection."""
    _check(weights, uniforms)
    running = torch.empty_like(weights)
    ancestors = torch.empty(uniforms.shape, dtype=torch.int64, device=weights.device)
    if uniforms.numel():
        sums_cuda.launch(len(weights), weights, running)
        _draw.launch(grid(uniforms.numel()), running, uniforms, ancestors)
    return ancestors


def _check(weights: Tensor, uniforms: Tensor) -> None:
    if not (weights.ndim == uniforms.ndim == 2 and len(weights) == len(uniforms) and weights.shape[1]):
        raise ValueError(f"weights (R, N), uniforms (R, K) wanted, not {tuple(weights.shape)}, {tuple(uniforms.shape)}")


@njit
def prepare_cpu(weights, running, table):
    """Running sums, and for each of N shares of the whole where to begin; where the sum is complete."""
    n, total = weights.size, 0.0
    for j in range(n):
        total += weights[j]
        running[j] = total
    last = 0
    while last < n - 1 and running[last] < total:
        last += 1
    j = 0
    for b in range(n):
        least = total * (b / n)
        while j < last and not running[j] > least:
            j += 1
        table[b] = j
    return last


@njit
def find_cpu(u, running, table, last):
    """The first whose running sum is above u of the whole; the table is off by rounding at most."""
    point = u * running[-1]
    j = table[min(int(u * table.size), table.size - 1)]
    while j > 0 and running[j - 1] > point:
        j -= 1
    while j < last and not running[j] > point:
        j += 1
    return j


def _bisect(running, u):
    """The first whose running sum is above u of the whole, or where the sum is complete."""
    total, low, high = running[running.size - 1], 0, running.size - 1
    while low < high:
        middle = (low + high) // 2
        if running[middle] > u * total or running[middle] >= total:
            high = middle
        else:
            low = middle + 1
    return low


bisect_cpu, bisect_cuda = both(_bisect)


@njit
def _cpu(weights, uniforms, ancestors):
    n = weights.shape[1]
    running, table = np.empty(n), np.empty(n, np.int64)
    for r in range(uniforms.shape[0]):
        last = prepare_cpu(weights[r], running, table)
        for k in range(uniforms.shape[1]):
            ancestors[r, k] = find_cpu(uniforms[r, k], running, table, last)


@cuda_kernel("float64[:, ::1], float64[:, ::1]")
def sums_cuda(weights, running):
    shared = cuda.shared.array(SHARED, np.float64)
    r, thread, n = cuda.blockIdx.x, cuda.threadIdx.x, weights.shape[1]
    part = (n + SHARED - 1) // SHARED
    begin, stop = thread * part, min(n, (thread + 1) * part)
    total = 0.0
    for j in range(begin, stop):
        total += weights[r, j]
    shared[thread] = total
    cuda.syncthreads()
    total = 0.0
    for other in range(thread):
        total += shared[other]
    for j in range(begin, stop):
        total += weights[r, j]
        running[r, j] = total


@cuda_kernel("float64[:, ::1], float64[:, ::1], int64[:, ::1]")
def _draw(running, uniforms, ancestors):
    columns = uniforms.shape[1]
    for item in range(cuda.grid(1), uniforms.shape[0] * columns, cuda.gridsize(1)):
        r, k = item // columns, item % columns
        ancestors[r, k] = bisect_cuda(running[r], uniforms[r, k])


def example(n: int, dtype: torch.dtype, generator: torch.Generator) -> dict[str, Any]:
    """Filters of 1000 particles, or one smaller filter; every eighth particle has no weight."""
    shape = (max(1, n // 1000), min(n, 1000))
    weights = torch.randn(shape, dtype=dtype, generator=generator).softmax(1)
    if n > 3:
        weights[:, 3::8] = 0
    return {"weights": weights, "uniforms": torch.rand(shape, dtype=dtype, generator=generator)}


def bytes_moved(arguments: Mapping[str, Any]) -> int:
    return int(8 * arguments["weights"].numel() + 16 * arguments["uniforms"].numel())


KERNEL = multinomial_resampling = Kernel(
    name="multinomial_resampling",
    reference=reference,
    cpu=cpu,
    cuda=cuda_form,
    example=example,
    bytes_moved=bytes_moved,
    bound="random access",
    dtypes=(torch.float64,),
    hostile=False,  # weights that are not finite have no law
)
