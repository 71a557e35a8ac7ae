"""What reports would do with numpy, and what rliable does: scipy's trimmed mean, one replicate after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.stats import trim_mean

#: Replicates at a time, so that what is gathered stays in the caches.
PIECE = 64


def vectorised(arguments: Mapping[str, Any]) -> Callable[[], object]:
    """Gather and partition all methods of a piece of the replicates at once."""
    scores, replicates = arguments["scores"].double().numpy(), arguments["replicates"]
    methods, tasks, seeds = scores.shape
    flat, count = scores.reshape(methods, -1), tasks * seeds
    cut, generator = count // 4, np.random.default_rng(arguments["key"])

    def run() -> object:
        means = []
        for begin in range(0, replicates, PIECE):
            shape = min(PIECE, replicates - begin), tasks, seeds
            drawn = generator.integers(seeds, size=shape) + np.arange(tasks)[:, None] * seeds
            values = flat[:, drawn.reshape(-1, count)]
            values.partition((cut, count - cut - 1), axis=2)
            means.append(values[:, :, cut : count - cut].mean(2).T)
        return np.concatenate(means)

    return run


def one_by_one(arguments: Mapping[str, Any]) -> Callable[[], object]:
    """As rliable: index, then scipy, for each replicate."""
    scores, replicates = arguments["scores"].double().numpy(), arguments["replicates"]
    methods, tasks, seeds = scores.shape
    generator = np.random.default_rng(arguments["key"])

    def run() -> object:
        means = []
        for _ in range(replicates):
            drawn = generator.integers(seeds, size=(tasks, seeds))
            chosen = scores[:, np.arange(tasks)[:, None], drawn]
            means.append(trim_mean(chosen.reshape(methods, -1), 0.25, axis=1))
        return np.stack(means)

    return run


ALTERNATIVES = {"numpy vectorised": vectorised, "scipy one by one": one_by_one}
