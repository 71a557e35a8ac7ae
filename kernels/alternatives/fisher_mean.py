"""The Fisher-weighted mean over stacked experts, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


def stacked(arguments: Mapping[str, Any]) -> Callable[[], object]:
    scales = torch.tensor(arguments["scales"], dtype=torch.float64)[:, None]

    def merge() -> object:
        shares = torch.stack(arguments["fishers"]) * scales + arguments["eps"]
        return (shares * torch.stack(arguments["thetas"])).sum(0) / shares.sum(0)

    return merge


ALTERNATIVES = {"torch stacked": stacked}
