"""torch.topk and numpy's partitions; none of them says which of equal entries it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def torch_topk(arguments: Mapping[str, Any]) -> Callable[[], object]:
    x, k = arguments["x"], arguments["k"]

    def largest() -> object:
        indices = x.abs().topk(k, sorted=False).indices.sort().values
        return indices, x[indices]

    return largest


def argpartition(arguments: Mapping[str, Any]) -> Callable[[], object]:
    x, k = arguments["x"].numpy(), arguments["k"]

    def largest() -> object:
        indices = np.sort(np.argpartition(np.abs(x), len(x) - k)[len(x) - k :])
        return indices, x[indices]

    return largest


def partition(arguments: Mapping[str, Any]) -> Callable[[], object]:
    """The k-th largest magnitude, then what is above it and the first of what is equal: exact ties."""
    x, k = arguments["x"].numpy(), arguments["k"]

    def largest() -> object:
        magnitude = np.abs(x)
        least = np.partition(magnitude, len(x) - k)[len(x) - k]
        above = np.flatnonzero(magnitude > least)
        ties = np.flatnonzero(magnitude == least)[: k - len(above)]
        indices = np.sort(np.concatenate([above, ties]))
        return indices, x[indices]

    return largest


ALTERNATIVES = {"torch.topk": torch_topk, "numpy.argpartition": argpartition, "numpy.partition": partition}
