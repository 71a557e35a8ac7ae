"""Draws from the whole backward law by torch.multinomial, and accept-reject in torch on uniforms made beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor


def _law(arguments: Mapping[str, Any], new: Tensor, row: Tensor) -> Tensor:
    means, weights = arguments["means"], arguments["weights"]
    gaps = (new.unsqueeze(1) - means[row]) / arguments["scale"]
    law: Tensor = (weights[row].log() - 0.5 * gaps.square()).softmax(1)
    return law


def multinomial(arguments: Mapping[str, Any]) -> Callable[[], object]:
    new, draws = arguments["new"], arguments["draws"]
    rows = torch.arange(len(new))

    def draw() -> object:
        return [
            torch.multinomial(_law(arguments, new[r], row), draws, replacement=True)
            for r, row in enumerate(rows.unsqueeze(1).expand_as(new))
        ]

    return draw


def batched(arguments: Mapping[str, Any]) -> Callable[[], object]:
    means, weights, new = (arguments[name] for name in ("means", "weights", "new"))
    draws, trials, scale = arguments["draws"], arguments["trials"], arguments["scale"]
    shape = (*new.shape, draws, trials)

    def draw() -> object:
        cumulative = weights.cumsum(1)
        points = torch.rand(shape, dtype=new.dtype) * cumulative[:, -1, None, None, None]
        proposals = torch.searchsorted(cumulative, points.flatten(1)).clamp(max=means.shape[1] - 1)
        gaps = (new[:, :, None, None] - means.gather(1, proposals).view(shape)) / scale
        accepted = torch.rand(shape, dtype=new.dtype) < (-0.5 * gaps.square()).exp()
        first = accepted.to(torch.uint8).argmax(-1, keepdim=True)
        indices = proposals.view(shape).gather(-1, first).squeeze(-1)
        row, column, m = (~accepted.any(-1)).nonzero(as_tuple=True)
        for r, i, k in zip(row.split(1000), column.split(1000), m.split(1000), strict=True):
            indices[r, i, k] = torch.multinomial(_law(arguments, new[r, i], r), 1)[:, 0]
        return indices

    return draw


ALTERNATIVES = {"torch.multinomial": multinomial, "torch accept-reject": batched}
