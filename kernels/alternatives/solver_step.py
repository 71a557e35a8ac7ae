"""What fuses some of it without a compiler, torch's in-place calls, and the step of a scheduler that users take."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import torch


def in_place(arguments: Mapping[str, Any]) -> Callable[[], object]:
    """torch with out= and alpha=, no temporary but the gap."""
    x, d0, d1, d2, z, out = (arguments[name] for name in ("x", "d0", "d1", "d2", "z", "out"))
    count = _counter(arguments)

    def step() -> None:
        torch.mul(x, arguments["c_x"], out=out)
        for weight, term in zip(arguments["weights"], (d0, d1, d2), strict=True):
            out.add_(term, alpha=weight)
        out.add_(z, alpha=arguments["c_noise"])
        count()

    return step


def diffusers_update(arguments: Mapping[str, Any]) -> Callable[[], object]:
    """The third-order update of diffusers, of three denoised and noise as here; the variance as above."""
    schedulers: Any = importlib.import_module("diffusers")
    scheduler = schedulers.DPMSolverMultistepScheduler(solver_order=3, algorithm_type="sde-dpmsolver++")
    scheduler.set_timesteps(20)
    scheduler.set_begin_index(10)
    scheduler._init_step_index(scheduler.timesteps[10])
    x, d0, d1, d2, z = (arguments[name] for name in ("x", "d0", "d1", "d2", "z"))
    count = _counter(arguments)

    def step() -> None:
        scheduler.multistep_dpm_solver_third_order_update([d2, d1, d0], sample=x, noise=z)
        count()

    return step


def _counter(arguments: Mapping[str, Any]) -> Callable[[], None]:
    """Welford's update of mean and m2 with the first term."""
    d0, mean, m2, count = (arguments[name] for name in ("d0", "mean", "m2", "count"))
    gap = torch.empty_like(d0)

    def update() -> None:
        torch.sub(d0, mean, out=gap)
        mean.add_(gap, alpha=1 / count)
        m2.addcmul_(gap, d0 - mean)

    return update


ALTERNATIVES = {"torch in place": in_place}
if find_spec("diffusers"):
    ALTERNATIVES["diffusers DPM-Solver++ update"] = diffusers_update
