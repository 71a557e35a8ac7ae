"""numpy's unpackbits with torch's sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch


def unpackbits(arguments: Mapping[str, Any]) -> Callable[[], object]:
    scales, signs, size = arguments["scales"], arguments["signs"].numpy(), arguments["size"]

    def mean() -> object:
        up = torch.from_numpy(np.unpackbits(signs, axis=1, count=size, bitorder="little"))
        return (scales / len(scales)) @ up.to(scales.dtype).mul_(2).sub_(1)

    return mean


ALTERNATIVES = {"numpy.unpackbits + matmul": unpackbits}
