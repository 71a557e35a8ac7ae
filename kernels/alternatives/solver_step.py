"""What fuses some of it without a compiler: torch's in-place addcmul-style calls, and one matrix product."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


def in_place(arguments: Mapping[str, Any]) -> Callable[[], object]:
    """torch with out= and alpha=, no temporary but the gap."""
    x, d0, d1, d2, z = (arguments[name] for name in ("x", "d0", "d1", "d2", "z"))
    mean, m2, out, count = (arguments[name] for name in ("mean", "m2", "out", "count"))
    gap = torch.empty_like(x)

    def step() -> None:
        torch.mul(x, arguments["c_x"], out=out)
        for weight, term in zip(arguments["weights"], (d0, d1, d2), strict=True):
            out.add_(term, alpha=weight)
        out.add_(z, alpha=arguments["c_noise"])
        torch.sub(d0, mean, out=gap)
        mean.add_(gap, alpha=1 / count)
        m2.addcmul_(gap, d0 - mean)

    return step


ALTERNATIVES = {"torch in place": in_place}
