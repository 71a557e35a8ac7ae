"""The same in torch's calls, with numpy's packbits, which torch lacks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch


def packbits(arguments: Mapping[str, Any]) -> Callable[[], object]:
    """torch in place, numpy.packbits."""
    a, error = arguments["a"], arguments["error"]

    def compress() -> object:
        error.add_(a)
        scale = torch.linalg.vector_norm(error) / math.sqrt(len(error))
        up = error >= 0
        error.sub_(torch.where(up, scale, -scale))
        return np.packbits(up.numpy(), bitorder="little"), scale

    return compress


ALTERNATIVES = {"torch + numpy.packbits": packbits}
