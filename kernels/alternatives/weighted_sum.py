"""Task arithmetic over stacked task vectors, and term by term; both sum in the dtype of the tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


def stacked(arguments: Mapping[str, Any]) -> Callable[[], object]:
    base, experts, scale = arguments["base"], arguments["tensors"][1:], arguments["scale"]
    return lambda: base + scale * torch.stack([expert - base for expert in experts]).sum(0)


def in_place(arguments: Mapping[str, Any]) -> Callable[[], object]:
    tensors, weights = arguments["tensors"], arguments["weights"]

    def merge() -> object:
        total = tensors[0] * weights[0]
        for tensor, weight in zip(tensors[1:], weights[1:], strict=True):
            total.add_(tensor, alpha=weight)
        return total.mul_(arguments["scale"]).add_(arguments["base"])

    return merge


ALTERNATIVES = {"torch stacked": stacked, "torch float32 in place": in_place}
