"""torch.multinomial, which draws uniforms of its own, and numpy's bisection row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch


def torch_multinomial(arguments: Mapping[str, Any]) -> Callable[[], object]:
    weights, draws = arguments["weights"], arguments["uniforms"].shape[1]
    return lambda: torch.multinomial(weights, draws, replacement=True)


def searchsorted(arguments: Mapping[str, Any]) -> Callable[[], object]:
    weights, uniforms = arguments["weights"].numpy(), arguments["uniforms"].numpy()

    def resample() -> object:
        running = weights.cumsum(1)
        return np.stack([np.searchsorted(c, u * c[-1], side="right") for c, u in zip(running, uniforms, strict=True)])

    return resample


ALTERNATIVES = {"torch.multinomial": torch_multinomial, "numpy.searchsorted": searchsorted}
