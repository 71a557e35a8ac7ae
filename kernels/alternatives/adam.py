"""Torch's own AdamW, one tensor of the same size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


def _optimizer(arguments: Mapping[str, Any], **how: bool) -> Callable[[], object]:
    w = torch.nn.Parameter(arguments["w"].clone())
    w.grad = arguments["g"].clone()
    optimizer = torch.optim.AdamW([w], lr=arguments["lr"], betas=arguments["betas"], eps=arguments["eps"], **how)
    return optimizer.step


def fused(arguments: Mapping[str, Any]) -> Callable[[], object]:
    return _optimizer(arguments, fused=True)


def foreach(arguments: Mapping[str, Any]) -> Callable[[], object]:
    return _optimizer(arguments, foreach=True)


ALTERNATIVES = {"torch.optim fused": fused, "torch.optim foreach": foreach}
