"""Lion of two optimizer collections, one tensor of the same size; torch has none."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import torch

pytorch_optimizer: Any = importlib.import_module("pytorch_optimizer")


def collected(arguments: Mapping[str, Any]) -> Callable[[], object]:
    w = torch.nn.Parameter(arguments["w"].clone())
    w.grad = arguments["g"].clone()
    settings = {"lr": arguments["lr"], "betas": arguments["betas"], "weight_decay": 10.0}
    optimizer: torch.optim.Optimizer = pytorch_optimizer.Lion([w], **settings)
    return optimizer.step


ALTERNATIVES = {"pytorch_optimizer": collected}
