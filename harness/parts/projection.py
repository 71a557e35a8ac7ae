"""Projecting away the direction of a weight: the scale-invariant way (AdamP, SGDP) and the length-keeping one (⊥Grad).

The loss of a scale-invariant weight w does not change along w, so its gradient is orthogonal to w, and a step along w
only makes w longer.  "Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant Weights", ICLR 2021,
arXiv:2006.08217, takes a weight for scale-invariant by the angle between w and its gradient.
"""

from __future__ import annotations

from kernels.adamp import tangential
from kernels.perpgrad import orthogonal_gradient

__all__ = ["orthogonal_gradient", "tangential"]
