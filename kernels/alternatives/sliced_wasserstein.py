"""POT's sliced Wasserstein distance: of W alone, without the controls, and with the directions given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ot


def pot(arguments: Mapping[str, Any]) -> Callable[[], object]:
    """On numpy's arrays: POT sorts with numpy there."""
    x, y, directions = (arguments[name].numpy() for name in ("x", "y", "directions"))
    return lambda: ot.sliced_wasserstein_distance(x, y, projections=directions.T)


def pot_torch(arguments: Mapping[str, Any]) -> Callable[[], object]:
    x, y, directions = (arguments[name] for name in ("x", "y", "directions"))
    return lambda: ot.sliced_wasserstein_distance(x, y, projections=directions.T)


ALTERNATIVES = {"POT numpy": pot, "POT torch": pot_torch}
