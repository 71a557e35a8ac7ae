"""What CPU forms are made of: Numba's compiler, flat arrays that share memory with tensors, numbers of their dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kernels.core.jit import SOURCES, UNUSED_DAYS, cache_folder, njit, sources_hash

__all__ = ["NUMPY", "SOURCES", "UNUSED_DAYS", "array", "cache_folder", "empty_like", "njit", "scalars", "sources_hash"]

NUMPY = {torch.float32: np.float32, torch.float64: np.float64}


def array(tensor: Tensor) -> np.ndarray[Any, Any]:
    """A contiguous CPU tensor as a flat array, sharing memory."""
    shared: np.ndarray[Any, Any] = (tensor.detach() if tensor.requires_grad else tensor).numpy()
    return shared if shared.ndim == 1 else shared.reshape(-1)


def empty_like(tensor: Tensor, shape: Sequence[int] | None = None) -> Tensor:
    """A contiguous tensor for results, not filled, with dtype and device of another, and its shape where none is given.

    On the CPU NumPy allocates it, which asks Linux for huge pages as torch does not: in small pages the first write to
    a large result may take longer than computing it.
    """
    shape = tuple(tensor.shape if shape is None else shape)
    if tensor.device.type == "cpu" and tensor.dtype in NUMPY:
        return torch.from_numpy(np.empty(shape, NUMPY[tensor.dtype]))
    return tensor.new_empty(shape)


def scalars(tensor: Tensor, *values: float) -> tuple[Any, ...]:
    """Numbers in the dtype of a tensor: a double among floats would make Numba compute in double precision."""
    number = NUMPY[tensor.dtype]
    return tuple(map(number, values))
