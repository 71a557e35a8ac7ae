"""Smoothing by the filter's own genealogy: Kitagawa, JCGS 1996, doi:10.1080/10618600.1996.10474692.

Each particle carries the sum along the path that it was resampled from; estimate = sum_i w_T^i (sum along path i).
O(N) per step, but the paths coalesce: sums over early states rest on a few ancestors.
"""

from __future__ import annotations

from torch import Tensor

from harness.parts.particle_filters import along_ancestors, sweep
from harness.protocols.component import Params, component
from harness.protocols.context import TrialContext
from harness.protocols.smoothing import SmoothingProblem


class FilterPathParams(Params):
    """Nothing to choose: the number of particles is the task's."""


@component(
    slot="sampler",
    key="filter-path",
    protocol="smoothing",
    version=1,
    paper="doi:10.1080/10618600.1996.10474692",
    params=FilterPathParams,
)
def filter_path(params: FilterPathParams, problem: SmoothingProblem, particles: int, ctx: TrialContext) -> Tensor:
    """Bootstrap filter that stores each particle's path; multinomial resampling at each step."""
    return sweep(problem, particles, along_ancestors, lambda t: ctx.rng("smoothing", 0, t)).estimate()
