"""diffGrad of two optimizer collections, one tensor of the same size; torch has none."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import torch

pytorch_optimizer: Any = importlib.import_module("pytorch_optimizer")
torch_optimizer: Any = importlib.import_module("torch_optimizer")


def _optimizer(make: Callable[..., torch.optim.Optimizer], arguments: Mapping[str, Any]) -> Callable[[], object]:
    w = torch.nn.Parameter(arguments["w"].clone())
    w.grad = arguments["g"].clone()
    return make([w], lr=arguments["lr"], betas=arguments["betas"], eps=arguments["eps"]).step


def collected(arguments: Mapping[str, Any]) -> Callable[[], object]:
    return _optimizer(pytorch_optimizer.DiffGrad, arguments)


def older(arguments: Mapping[str, Any]) -> Callable[[], object]:
    return _optimizer(torch_optimizer.DiffGrad, arguments)


ALTERNATIVES = {"pytorch_optimizer": collected, "torch_optimizer": older}
