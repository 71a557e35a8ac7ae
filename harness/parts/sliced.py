"""Sliced Wasserstein problems: two point clouds, random directions, and one-dimensional distances."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.protocols.context import TrialContext
from kernels.sliced_wasserstein import sliced_wasserstein


def unit_directions(draws: int, dim: int, generator: torch.Generator) -> Tensor:
    """(draws, dim) float64 directions, uniform on the unit sphere."""
    normal = torch.randn(draws, dim, generator=generator, dtype=torch.float64)
    lengths: Tensor = torch.linalg.vector_norm(normal, dim=1, keepdim=True)
    return normal / lengths


def projected_distances(x: Tensor, y: Tensor, directions: Tensor) -> Tensor:
    """Squared 2-Wasserstein distance of the projections of x and y (both (n, d)) on each direction (draws, d).

    Raises:
        ValueError: x and y differ in their number of points.
    """
    distances: Tensor = sliced_wasserstein(x=x, y=y, directions=directions)[0]
    return distances


@dataclass(frozen=True)
class SlicedProblem:
    """Estimate SW_2^2(x, y), the mean of `projected_distances` over the unit sphere.

    Args:
        x, y: (n, d) float64 point clouds.
        exact: the answer.
        ctx: where the directions come from and are counted.
        repeat: number of the repetition; each has its own directions, the same for all estimators.
    """

    x: Tensor
    y: Tensor
    exact: float
    ctx: TrialContext
    repeat: int = 0

    def directions(self, draws: int) -> Tensor:
        """(draws, d) directions, uniform on the unit sphere."""
        self.ctx.count("draws", draws)
        return unit_directions(draws, self.x.shape[1], self.ctx.rng("projection", self.repeat))
