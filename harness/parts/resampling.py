"""Resampling of weighted particles: Douc, Cappe, Moulines, "Comparison of resampling schemes", ISPA 2005, section 2."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def systematic_resample(log_weights: Tensor, u: float) -> Tensor:
    """Which particle each new particle copies, by one uniform number.

    With W the normalised weights and C their running sums, new particle j copies the first i with C_i > (j + u) / N.
    Particle i is then copied floor(N W_i) or ceil(N W_i) times, N W_i times on average over u.

    Args:
        log_weights: (N,) float64 logarithms of weights that need not be normalised; -inf for a weight of 0, but not
            for all.  Not changed.
        u: in [0, 1).

    Returns:
        (N,) int64 positions in increasing order.
    """
    running = (log_weights - log_weights.max()).exp().cumsum(0)
    n = len(running)
    points = (torch.arange(n, dtype=running.dtype, device=running.device) + u) * (running[-1] / n)
    last = torch.searchsorted(running, running[-1:])  # where the sum is complete: rounding must not lead beyond it
    return torch.searchsorted(running, points, right=True).minimum(last)


def effective_sample_size(log_weights: Tensor) -> float:
    """(sum w)^2 / sum w^2, from 1 (one particle has all weight) to N (equal weights)."""
    return math.exp(2 * log_weights.logsumexp(0).item() - (2 * log_weights).logsumexp(0).item())
