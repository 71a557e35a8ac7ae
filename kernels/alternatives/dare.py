"""DARE with torch's own generator: one uniform number for each entry and expert."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


def torch_rand(arguments: Mapping[str, Any]) -> Callable[[], object]:
    base, experts, p = arguments["base"], arguments["experts"], arguments["drop_rate"]
    generator = torch.Generator().manual_seed(0)

    def merge() -> object:
        tau = torch.zeros_like(base)
        for expert, factor in zip(experts, arguments["factors"], strict=True):
            stays = torch.rand(base.shape, generator=generator) >= p
            tau += (expert - base) * stays * factor
        return base + arguments["scale"] * tau

    return merge


ALTERNATIVES = {"torch.rand": torch_rand}
