"""Other draws of one index from each row: torch.multinomial, Gumbel-max, and inversion by numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch


def multinomial(arguments: Mapping[str, Any]) -> Callable[[], object]:
    """torch.multinomial, itself a race."""
    return lambda: torch.multinomial(arguments["probabilities"], 1)


def gumbel_max(arguments: Mapping[str, Any]) -> Callable[[], object]:
    """argmax log pi - log(-log u) with rand_like, as repositories of discrete diffusion write it."""
    pi = arguments["probabilities"]
    return lambda: (pi.log() - (-torch.rand_like(pi).log()).log()).argmax(1)


def inversion(arguments: Mapping[str, Any]) -> Callable[[], object]:
    """Cumulative sums and searchsorted, with one float64 uniform a row."""
    pi = arguments["probabilities"].numpy()
    generator = np.random.default_rng(0)

    def draw() -> object:
        total = np.cumsum(pi, axis=1, dtype=np.float64)
        uniforms = generator.random(len(pi)) * total[:, -1]
        return [np.searchsorted(row, u, side="right") for row, u in zip(total, uniforms, strict=True)]

    return draw


ALTERNATIVES = {"torch.multinomial": multinomial, "torch Gumbel-max": gumbel_max, "numpy searchsorted": inversion}
