"""What the authors of TIES do: torch.kthvalue of K stacked task vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


def kthvalue(arguments: Mapping[str, Any]) -> Callable[[], object]:
    base, rank = torch.cat(arguments["base"]), arguments["rank"]
    experts = [torch.cat(expert) for expert in arguments["experts"]]
    return lambda: torch.stack([e - base for e in experts]).clone().abs().kthvalue(rank, dim=1).values


ALTERNATIVES = {"ties-merging (torch)": kthvalue}
