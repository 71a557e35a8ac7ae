"""What tasks ask of samplers of matrix products, the sampler protocol "matmul".

`(params, problem, k, ctx) -> Tensor` estimates A @ B from k of its n column-row pairs; randomness comes from
`ctx.rng(purpose, problem.repeat)`, so that all estimators of one repetition share their numbers.
"""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from harness.protocols.context import TrialContext


class MatmulProblem(Protocol):
    """A (m, n) and B (n, p) of one floating dtype; pair i is column i of A with row i of B."""

    @property
    def a(self) -> Tensor: ...

    @property
    def b(self) -> Tensor: ...

    @property
    def repeat(self) -> int:
        """Number of the repetition."""
        ...

    def product(self, index: Tensor, scale: Tensor) -> Tensor:
        """(m, p) sum over the pairs `index` (k,) int64, each times `scale` (k,); counts k pairs."""
        ...


class MatmulSampler(Protocol):
    """Protocol "matmul": estimate `problem.a @ problem.b` by `problem.product` of at most k pairs, in their dtype."""

    def __call__(self, params: Any, problem: MatmulProblem, k: int, ctx: TrialContext, /) -> Tensor: ...
