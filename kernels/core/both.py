"""Arithmetic written once for the CPU and for CUDA.  Torch is not imported here."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda

from kernels.core.backends import SIMULATED
from kernels.core.jit import njit

#: Functions of one number for code that CUDA runs too: in the simulator `math` would raise where a GPU gives NaN.
cos, exp, log, sqrt = (np.cos, np.exp, np.log, np.sqrt) if SIMULATED else (math.cos, math.exp, math.log, math.sqrt)


def both(function: Callable[..., Any]) -> tuple[Any, Any]:
    """A function of numbers for use inside CPU and inside CUDA code: the arithmetic of both forms, written once."""
    return njit(function), cuda.jit(device=True)(function)
