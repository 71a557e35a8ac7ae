"""TIES as it is usually written over K stacked task vectors, trimming left out: masks, products, three reductions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


def ties_merging(arguments: Mapping[str, Any]) -> Callable[[], object]:
    base, experts, thresholds = arguments["base"], arguments["experts"], arguments["thresholds"]

    def merge() -> object:
        vectors = torch.stack([expert - base for expert in experts])
        trimmed = vectors.clone() * (vectors.abs() >= thresholds[:, None])
        signs = torch.sign(trimmed.sum(0))
        signs[signs == 0] = torch.sign(signs.sum())
        chosen = torch.where(signs > 0, trimmed > 0, trimmed < 0)
        entries = trimmed * chosen
        count = (entries != 0).sum(0).float()
        tau = entries.sum(0) / count.clamp(min=1)
        return base + arguments["scale"] * tau

    return merge


ALTERNATIVES = {"ties-merging (torch)": ties_merging}
