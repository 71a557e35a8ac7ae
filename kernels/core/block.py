"""What the threads of a CUDA block find out together, by way of shared memory and in a fixed order.

A kernel declares `cuda.shared.array((rows, threads), ...)`, and each of so many threads writes a number into every
row at its own place.  After the call all threads may read the answer of a row in its first place; before they write
there again they must meet once more (`cuda.syncthreads`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba.cuda

from kernels.core.backends import SIMULATED


class _Simulated:
    """The simulator's `cuda` of the running kernel, which it puts into the module of the kernel alone."""

    def __getattr__(self, name: str) -> Any:
        from numba.cuda.simulator.kernel import _get_kernel_context

        return getattr(_get_kernel_context(), name)


cuda: Any = _Simulated() if SIMULATED else numba.cuda


def device(function: Callable[..., None]) -> Any:
    """A function for the inside of CUDA code that speaks of threads."""
    return function if SIMULATED else numba.cuda.jit(device=True)(function)


@device
def add_up(shared):
    """The sum of each row: halves are added until one number is left."""
    thread, half = cuda.threadIdx.x, shared.shape[1] // 2
    while half:
        cuda.syncthreads()
        if thread < half:
            for row in range(shared.shape[0]):
                shared[row, thread] += shared[row, thread + half]
        half //= 2
    cuda.syncthreads()


@device
def find_largest(shared):
    """The largest number of each row; NaN loses every comparison."""
    thread, half = cuda.threadIdx.x, shared.shape[1] // 2
    while half:
        cuda.syncthreads()
        if thread < half:
            for row in range(shared.shape[0]):
                if shared[row, thread + half] > shared[row, thread]:
                    shared[row, thread] = shared[row, thread + half]
        half //= 2
    cuda.syncthreads()
