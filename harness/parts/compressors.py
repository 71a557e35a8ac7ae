"""Compressors of vectors that workers send, and what their messages need on the wire.

`onebit_compress` and `top_k` are the loops that cost time: plain functions of tensors, free of state.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor


def onebit_compress(a: Tensor, error: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One bit per entry with error feedback: q = s sgn(c) for c = a + error and s = |c|_2 / sqrt(d).

    The sign of 0 is +1; |q|_2 = |c|_2, the magnitude is kept.

    Args:
        a: (d,) float, d >= 1.
        error: (d,), what earlier calls left out.

    Returns:
        signs: (ceil(d / 8),) uint8, entry i in bit i % 8 of byte i // 8, set where c >= 0; spare bits are 0.
        scale: () s, dtype of `a`.
        new error: (d,) c - q.
    """
    c = a + error
    scale = torch.linalg.vector_norm(c) / math.sqrt(len(c))
    positive = c >= 0
    signs = torch.from_numpy(np.packbits(positive.numpy(), bitorder="little"))
    return signs, scale, c - torch.where(positive, scale, -scale)


def onebit_decompress(signs: Tensor, scale: Tensor, size: int) -> Tensor:
    """(size,) vector of +scale and -scale that `onebit_compress` packed."""
    positive = torch.from_numpy(np.unpackbits(signs.numpy(), count=size, bitorder="little")).bool()
    return torch.where(positive, scale, -scale)


def top_k(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k entries of largest magnitude; among equal ones the lowest index comes first.

    Args:
        x: (d,) float, finite.
        k: 1 <= k <= d.

    Returns:
        indices: (k,) int64, rising.
        values: (k,) the entries there.
    """
    magnitude = x.abs()
    if k == 1:
        indices = magnitude.argmax().reshape(1)  # the first of equal ones, as documented
    else:
        sizes = magnitude.numpy()
        least = np.partition(sizes, len(sizes) - k)[len(sizes) - k]
        above = np.flatnonzero(sizes > least)
        ties = np.flatnonzero(sizes == least)[: k - len(above)]
        indices = torch.from_numpy(np.sort(np.concatenate([above, ties])))
    return indices, x[indices]


def dense_bits(x: Tensor) -> int:
    """All entries of `x`, each at the width of its dtype."""
    return x.numel() * x.element_size() * 8


def onebit_bits(size: int, scale: Tensor) -> int:
    """One bit per entry and the scale."""
    return size + dense_bits(scale)


def top_k_bits(values: Tensor, size: int) -> int:
    """The values and for each an index below `size`."""
    return dense_bits(values) + values.numel() * (size - 1).bit_length()
