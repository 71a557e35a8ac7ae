"""Projecting away the direction of a weight: the scale-invariant way (AdamP, SGDP) and the length-keeping one (⊥Grad).

The loss of a scale-invariant weight w does not change along w, so its gradient is orthogonal to w, and a step along w
only makes w longer.  "Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant Weights", ICLR 2021,
arXiv:2006.08217, takes a weight for scale-invariant by the angle between w and its gradient.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: Rounding errors relative to the gradient up to which what is left of it has no direction.
ROUNDING = 4.0
#: Added to squared norms and norms, so that a weight of zeros has no direction.
TINY = 1e-30


def tangential(step: Tensor, w: Tensor, g: Tensor, delta: float, eps: float) -> Tensor | None:
    """The part of `step` orthogonal to each channel of w, or else to w as a whole; None where w moves as it is.

    Channels are the slices along the first dimension.  They count as scale-invariant when |cos(w_r, g_r)| is below
    delta / sqrt(entries of w_r) for all channels r; failing that the same is asked of the whole tensor.  Vectors and
    scalars are never projected, and with `delta` = 0 nothing is.

    Args:
        step: what would be subtracted from w; its shape, like that of g, is w's.  It is left as it is.
        g: the gradient of this step alone, without momentum, decay or preconditioner.
        eps: added to the norm of a channel, and the least norm in a cosine.
    """
    if w.ndim < 2 or w.numel() == 0:
        return None
    for channels in (w.shape[0], 1):
        w_, g_, step_ = (tensor.reshape(channels, -1) for tensor in (w, g, step))
        norms = torch.linalg.vector_norm(w_, dim=1)
        lengths = norms.clamp(min=eps) * torch.linalg.vector_norm(g_, dim=1).clamp(min=eps)
        cosines = (w_ * g_).sum(dim=1).abs() / lengths
        if bool(cosines.max() < delta / math.sqrt(w_.shape[1])):
            unit = w_ / (norms + eps).unsqueeze(1)
            along: Tensor = unit * (unit * step_).sum(dim=1, keepdim=True)
            return step - along.reshape(w.shape)
    return None


def orthogonal_gradient(g: Tensor, w: Tensor, stretched: bool) -> Tensor:
    """The part of g orthogonal to w, both taken as one vector; stretched to the length of g where asked.

    Zero where nothing but rounding errors is left of g; g itself where w is a single number, to which nothing is
    orthogonal.
    """
    if w.numel() == 1:
        return g
    w_, g_ = w.reshape(-1), g.reshape(-1)
    rest = g_ - w_ * (w_.dot(g_) / (w_.dot(w_) + TINY))
    length, left = torch.linalg.vector_norm(g_), torch.linalg.vector_norm(rest)
    factor = length / (left + TINY) if stretched else torch.ones_like(left)
    factor = factor.where(left > ROUNDING * torch.finfo(g.dtype).eps * length, 0.0)
    return (rest * factor).reshape(g.shape)
