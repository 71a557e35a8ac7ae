"""The same with numpy, with the gathering that torch does faster, and with one contraction of three operands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


def numpy(arguments: Mapping[str, Any]) -> Callable[[], object]:
    a, b, index, scale = (arguments[name].numpy() for name in ("a", "b", "index", "scale"))
    return lambda: (a[:, index] * scale) @ b[index]


def index_select(arguments: Mapping[str, Any]) -> Callable[[], object]:
    a, b, index, scale = (arguments[name] for name in ("a", "b", "index", "scale"))
    return lambda: (a.index_select(1, index) * scale) @ b.index_select(0, index)


def einsum(arguments: Mapping[str, Any]) -> Callable[[], object]:
    a, b, index, scale = (arguments[name] for name in ("a", "b", "index", "scale"))
    return lambda: torch.einsum("mk,k,kp->mp", a[:, index], scale, b[index])


ALTERNATIVES = {"numpy": numpy, "torch index_select": index_select, "torch einsum": einsum}
