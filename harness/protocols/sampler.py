"""What tasks ask of samplers.  Families: continuous, discrete, sliced-wasserstein, data; others have a file.

- "continuous": `(params, denoiser, x, sigmas, ctx) -> Tensor`; EDM scale, x = x0 + sigma * noise.
- "discrete": `(params, ctx)` gives an object with `sample(model, n, ctx)` and, where it can, the exact `law(model)`.
- "sliced-wasserstein": `(params, problem, draws, ctx) -> float` estimates a squared distance from `draws` directions.
- "data": `(params, pool, ctx)` gives an object with `batch(step, size)` -> positions and weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from harness.protocols.context import TrialContext


class Denoiser:
    """D(x, sigma) = E[x0 | x] for x = x0 + sigma * noise; counts one NFE per row.

    Args:
        function: maps x of shape (B, d) and a scalar sigma to the posterior mean, shape (B, d).
        ctx: where the evaluations are counted.
    """

    def __init__(self, function: Callable[[Tensor, float], Tensor], ctx: TrialContext) -> None:
        self._function, self._ctx = function, ctx

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        self._ctx.count("nfe", x.shape[0])
        return self._function(x, sigma)


class ContinuousSampler(Protocol):
    """Protocol "continuous": carry x (B, d) drawn at sigmas[0] down a decreasing grid of noise levels.

    `sigmas` is float64 with N + 1 points for N steps; all are positive except the last, which may be 0.  The dtype
    of x is kept.  Noise comes from `ctx.rng("noise", step)`, a row's share depending on its position alone.
    """

    def __call__(self, params: Any, denoiser: Denoiser, x: Tensor, sigmas: Tensor, ctx: TrialContext, /) -> Tensor: ...


class DiscreteModel(Protocol):
    """A masked model over sequences of `length` tokens 0 ... vocabulary - 1; `mask` is one more id, `vocabulary`."""

    @property
    def length(self) -> int: ...

    @property
    def vocabulary(self) -> int: ...

    @property
    def mask(self) -> int: ...

    def conditionals(self, x: Tensor) -> Tensor:
        """(B, L) partly masked int64 -> (B, L, V) probabilities of each position given the unmasked part."""
        ...


class CountedModel:
    """A `DiscreteModel` that counts one NFE per row (one evaluation per sequence) in the trial's context."""

    def __init__(self, model: DiscreteModel, ctx: TrialContext) -> None:
        self._model, self._ctx = model, ctx
        self.length, self.vocabulary, self.mask = model.length, model.vocabulary, model.mask

    def conditionals(self, x: Tensor) -> Tensor:
        self._ctx.count("nfe", x.shape[0])
        return self._model.conditionals(x)


class DiscreteSampler(Protocol):
    """Protocol "discrete": a component called as `(params, ctx)` gives an object like this."""

    def sample(self, model: DiscreteModel, n: int, ctx: TrialContext) -> Tensor:
        """(n, L) int64 sequences without masks."""
        ...


@runtime_checkable
class ExactLaw(Protocol):
    """What a discrete sampler offers besides `sample` when the law of its output can be computed."""

    def law(self, model: DiscreteModel) -> Tensor:
        """float64 probabilities of all V**L sequences, first position slowest."""
        ...


class Categorical(Protocol):
    """How tokens are drawn from rows of probabilities (..., V), and with which probabilities they are really drawn."""

    def draw(self, probabilities: Tensor, generator: torch.Generator) -> Tensor:
        """(...) int64 tokens."""
        ...

    def law(self, probabilities: Tensor) -> Tensor:
        """(..., V) probability of each token to be drawn; for an exact draw `probabilities` themselves."""
        ...


@runtime_checkable
class DrawsTokens(Protocol):
    """A discrete sampler all of whose tokens, and whose law if it has one, come through `categorical`.

    A wrapper may set it before anything is drawn.
    """

    categorical: Categorical

    def sample(self, model: DiscreteModel, n: int, ctx: TrialContext) -> Tensor: ...


class EstimationProblem(Protocol):
    """A sliced Wasserstein distance with an exact answer and a way to draw directions, which the problem counts."""

    @property
    def exact(self) -> float: ...


class Estimator(Protocol):
    """Protocol "sliced-wasserstein": estimate `problem.exact` from `draws` of the problem's own directions."""

    def __call__(self, params: Any, problem: Any, draws: int, ctx: TrialContext, /) -> float: ...


@dataclass(frozen=True)
class Pool:
    """Training examples a data sampler chooses from.

    Args:
        x: (n, d) inputs.
        y: (n,) int64 labels as given, which may be wrong.
        n_classes: number of labels.
        keep: how many different examples may be used over a run.
        fit: (epochs, stream) -> model trained for so many epochs on the whole pool with the task's own recipe, in
            evaluation mode; streams differ in initial weights and order.  What it costs is the method's.
    """

    x: Tensor
    y: Tensor
    n_classes: int
    keep: int
    fit: Callable[[int, int], nn.Module]


class DataSampler(Protocol):
    """Protocol "data": a component called as `(params, pool, ctx)` gives an object like this."""

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor | None]:
        """(size,) int64 positions in the pool, at most `keep` different ones over a run, and weights or None."""
        ...


class DataSamplerComponent(Protocol):
    def __call__(self, params: Any, pool: Pool, ctx: TrialContext, /) -> DataSampler: ...
