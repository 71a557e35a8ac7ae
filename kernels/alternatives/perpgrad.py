"""The projection of an optimizer collection, on tensors of the same sizes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import torch

pytorch_optimizer: Any = importlib.import_module("pytorch_optimizer")


def collected(arguments: Mapping[str, Any]) -> Callable[[], object]:
    sizes = arguments["offsets"].diff().tolist()
    weights = [torch.nn.Parameter(w.clone()) for w in arguments["w"].split(sizes) if len(w) > 1]
    for w, g in zip(weights, (g for g in arguments["g"].split(sizes) if len(g) > 1), strict=True):
        w.grad = g.clone()
    optimizer = pytorch_optimizer.OrthoGrad(torch.optim.SGD(weights, lr=0.0))
    return lambda: optimizer.apply_orthogonal_gradients(weights)


ALTERNATIVES = {"pytorch_optimizer": collected}
