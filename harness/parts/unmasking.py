"""The exact law of sequences that are unmasked in parallel, by dynamic programming over partly masked sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from harness.protocols.sampler import DiscreteModel


def unmasking_law(model: DiscreteModel, probabilities: Sequence[float]) -> Tensor:
    """Law of the sequence after starting from all masks and unmasking in `len(probabilities)` steps.

    In step j each masked position, independently of the others, is with probability r_j drawn from its conditional
    given what was unmasked before the step.

    Args:
        probabilities: r_j of each step; the last one is 1, so that no mask is left.

    Returns:
        float64 (V**L,), first position slowest.

    Time O(N (2V + 1)^L), memory O((2V + 1)^L): a partly masked sequence only reaches those that agree with it where
    it is unmasked.
    """
    law = torch.zeros((model.vocabulary + 1,) * model.length, dtype=torch.float64)
    law[(model.mask,) * model.length] = 1.0
    moves = list(_moves(model))
    for r in probabilities:
        new = torch.zeros_like(law)
        new[(slice(0, model.vocabulary),) * model.length] = law[(slice(0, model.vocabulary),) * model.length]
        for move in moves:
            new[move.targets] += law[move.sources] * move.tokens * move.weights(r)
        law = new
    return law[(slice(0, model.vocabulary),) * model.length].flatten()


@dataclass(frozen=True)
class _Move:
    """All transitions out of the states with one set of masked positions; arrays have one axis per position.

    Args:
        sources, targets: index of these states, and of the states they can reach, in the array of all states.
        tokens: probability of the tokens drawn on the way from source to target.
        drawn: how many positions are drawn on the way.
        masked: how many positions are masked in the sources.
    """

    sources: tuple[slice, ...]
    targets: tuple[slice, ...]
    tokens: Tensor
    drawn: Tensor
    masked: int

    def weights(self, r: float) -> Tensor:
        """Probability that just these positions are drawn in a step that unmasks with probability r."""
        by_count = [r**k * (1 - r) ** (self.masked - k) for k in range(self.masked + 1)]
        return torch.tensor(by_count, dtype=torch.float64)[self.drawn]


def _moves(model: DiscreteModel) -> Iterator[_Move]:
    length, v = model.length, model.vocabulary
    states = torch.cartesian_prod(*[torch.arange(v + 1)] * length).view(-1, length)
    conditionals = model.conditionals(states).view(*(v + 1,) * length, length, v)
    for pattern in product((True, False), repeat=length):
        if not any(pattern):
            continue
        sources = tuple(slice(v, v + 1) if masked else slice(0, v) for masked in pattern)
        targets = tuple(slice(0, v + 1) if masked else slice(0, v) for masked in pattern)
        tokens, drawn = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.int64)
        for i in (i for i, masked in enumerate(pattern) if masked):
            here = conditionals[sources][..., i, :]
            stay = torch.ones_like(here[..., :1])
            tokens = tokens * torch.cat([here, stay], -1).transpose(i, -1).squeeze(-1)
            drawn = drawn + (torch.arange(v + 1) < v).view(_along(i, length))
        yield _Move(sources, targets, tokens, drawn, sum(pattern))


def _along(axis: int, axes: int) -> tuple[int, ...]:
    return tuple(-1 if i == axis else 1 for i in range(axes))
