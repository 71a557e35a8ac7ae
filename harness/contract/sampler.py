"""Checks of the sampler protocols: "continuous", "discrete", "sliced-wasserstein" and "data"."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from harness.contract.subject import Check, Subject, normal, other_global_state, require, same_bits
from harness.parts.markov import MarkovChain
from harness.parts.sequence_laws import frequencies, total_variation, tv_noise_floor
from harness.parts.sliced import SlicedProblem
from harness.parts.time_grids import karras_grid
from harness.protocols.sampler import Denoiser, DrawsTokens, ExactLaw, Pool

SEQUENCES = 20_000


def continuous_checks(subject: Subject) -> list[Check]:
    """Shape, noise and one exact limit of a denoising sampler."""
    return [
        ("shape and dtype of x are kept", partial(_continuous_kept, subject)),
        ("a single point of data is reached", partial(_point_mass, subject)),
        ("rows do not touch each other", partial(_rows, subject)),
        ("equal seeds give equal bits", partial(_continuous_deterministic, subject)),
    ]


def discrete_checks(subject: Subject) -> list[Check]:
    """Tokens and law of a sampler of sequences."""
    return [
        ("sequences hold tokens only", partial(_tokens, subject)),
        ("frequencies follow the law it declares", partial(_law, subject)),
        ("a replaced draw is the one it uses", partial(_replaced_draw, subject)),
        ("equal seeds give equal bits", partial(_discrete_deterministic, subject)),
    ]


def sliced_wasserstein_checks(subject: Subject) -> list[Check]:
    """Value and draws of an estimator of sliced distances."""
    return [
        ("the estimate is a number near the answer", partial(_estimate, subject)),
        ("equal seeds give equal bits", partial(_estimator_deterministic, subject)),
    ]


def data_checks(subject: Subject) -> list[Check]:
    """Positions and weights of a data sampler."""
    return [
        ("batches hold positions of the pool", partial(_positions, subject)),
        ("it keeps to what may be used", partial(_kept, subject)),
        ("equal seeds give equal bits", partial(_data_deterministic, subject)),
    ]


def _unit_gaussian(x: Tensor, sigma: float) -> Tensor:
    """Denoiser of data from N(0, I)."""
    return x / (1 + sigma**2)


def _walk(subject: Subject, x: Tensor, sigma_min: float = 0.0, function: Any = _unit_gaussian, salt: int = 0) -> Tensor:
    ctx = subject.trial(dtype=x.dtype)
    before = x.clone()
    with other_global_state(salt):
        end: Tensor = subject(Denoiser(function, ctx), x, karras_grid(6, sigma_min, 20.0), ctx)
    require(same_bits(x, before), "it changed the x it was given")
    require(bool(end.isfinite().all()), "it ended at values that are not finite")
    return end


def _continuous_kept(subject: Subject) -> None:
    for dtype in (torch.float32, torch.float64):
        for sigma_min in (0.0, 0.01):
            end = _walk(subject, 20 * normal(8, 3, dtype=dtype), sigma_min)
            require(end.shape == (8, 3), f"x is (8, 3), it returned {tuple(end.shape)}")
            require(end.dtype == dtype, f"x is {dtype}, it returned {end.dtype}")


def _point_mass(subject: Subject) -> None:
    """If all data are one point, D is constant and the flow is a straight line into the point."""
    point = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    end = _walk(subject, 20 * normal(8, 3, dtype=torch.float64), function=lambda x, sigma: point.expand_as(x))
    gap = float((end - point).abs().max())
    require(gap < 1e-6, f"all data are one point, it ends {gap:.2g} away from it at sigma = 0")


def _rows(subject: Subject) -> None:
    x = 20 * normal(9, 3, dtype=torch.float64)
    whole, part = _walk(subject, x), _walk(subject, x[:4].clone())
    require(torch.allclose(whole[:4], part, rtol=1e-9), "the first rows end elsewhere when others follow them")


def _continuous_deterministic(subject: Subject) -> None:
    first, second = (_walk(subject, 20 * normal(8, 3), salt=salt) for salt in (1, 2))
    require(same_bits(first, second), "two runs with equal seeds end at different points")


def _chain() -> MarkovChain:
    start, transition = torch.tensor([0.6, 0.4]), torch.tensor([[0.9, 0.1], [0.3, 0.7]])
    return MarkovChain(start.double(), transition.double(), 3)


def _sequences(subject: Subject, n: int = SEQUENCES, salt: int = 0) -> Tensor:
    with other_global_state(salt):
        ctx = subject.trial()
        sequences: Tensor = subject(ctx).sample(_chain(), n, ctx)
    return sequences


def _tokens(subject: Subject) -> None:
    sequences = _sequences(subject, 50)
    require(sequences.shape == (50, 3), f"50 sequences of 3 tokens were asked for, shape is {tuple(sequences.shape)}")
    require(sequences.dtype == torch.int64, f"tokens are {sequences.dtype}, they must be int64")
    outside = sequences[(sequences < 0) | (sequences >= 2)]
    require(not len(outside), f"a sequence holds {outside[:1].tolist()}, tokens are 0 and 1 (2 is the mask)")


def _law(subject: Subject) -> None:
    sampler = subject(subject.trial())
    if not isinstance(sampler, ExactLaw):
        return
    law = sampler.law(_chain())
    require(law.shape == (8,) and law.dtype == torch.float64, "its law must be float64 with 2**3 entries")
    proper = bool((law >= 0).all()) and math.isclose(float(law.sum()), 1, rel_tol=1e-9)
    require(proper, f"its law is no probability law: {law.tolist()}")
    gap, floor = total_variation(law, frequencies(_sequences(subject), 2)), tv_noise_floor(law, SEQUENCES)
    require(
        gap < 4 * floor, f"{SEQUENCES} sequences are {gap:.3g} away from the law it declares, chance gives {floor:.3g}"
    )


class _AlwaysFirst:
    """A `Categorical` that draws token 0, whatever its probability."""

    def draw(self, probabilities: Tensor, generator: torch.Generator) -> Tensor:
        return torch.zeros(probabilities.shape[:-1], dtype=torch.int64)

    def law(self, probabilities: Tensor) -> Tensor:
        return torch.zeros_like(probabilities).index_fill(-1, torch.tensor([0]), 1.0)


def _replaced_draw(subject: Subject) -> None:
    ctx = subject.trial()
    sampler = subject(ctx)
    if not isinstance(sampler, DrawsTokens):
        return
    sampler.categorical = _AlwaysFirst()
    require(
        not sampler.sample(_chain(), 50, ctx).any(), "a categorical that draws 0 alone was set, it drew other tokens"
    )
    if isinstance(sampler, ExactLaw):
        first = float(sampler.law(_chain())[0])
        require(first == 1, f"a categorical that draws 0 alone was set, its law gives (0, 0, 0) {first:.3g}")


def _discrete_deterministic(subject: Subject) -> None:
    first, second = (_sequences(subject, 200, salt) for salt in (1, 2))
    require(same_bits(first, second), "two runs with equal seeds give different sequences")


def _estimated(subject: Subject, draws: int, salt: int = 0) -> float:
    """Estimate SW_2^2 between x and x + (1, 1, 1), which is 1 for any x."""
    ctx = subject.trial()
    x = normal(20, 3, dtype=torch.float64)
    with other_global_state(salt):
        return float(subject(SlicedProblem(x, (x + 1).flip(0), 1.0, ctx), draws, ctx))


def _estimate(subject: Subject) -> None:
    estimate = _estimated(subject, 2000)
    require(abs(estimate - 1) < 0.2, f"with 2000 draws it estimates {estimate:.4g}, the answer is 1")


def _estimator_deterministic(subject: Subject) -> None:
    require(
        _estimated(subject, 5, 1) == _estimated(subject, 5, 2), "two runs with equal seeds give different estimates"
    )


def _pool() -> Pool:
    """60 points in three classes, a third of which may be used."""
    y = torch.arange(60) % 3
    x = normal(60, 5) + 2 * torch.eye(3, 5)[y]

    def fit(epochs: int, stream: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream)
            model = nn.Linear(5, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        for _ in range(5 * epochs):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return model.eval()

    return Pool(x, y, n_classes=3, keep=20, fit=fit)


def _batches(subject: Subject, salt: int = 0) -> list[tuple[Tensor, Tensor | None]]:
    pool = _pool()
    before = pool.x.clone(), pool.y.clone()
    with other_global_state(salt):
        sampler = subject(pool, subject.trial())
        chosen = [sampler.batch(step, 8) for step in range(20)]
    require(same_bits(pool.x, before[0]) and same_bits(pool.y, before[1]), "it changed the pool")
    return chosen


def _positions(subject: Subject) -> None:
    for step, (index, weight) in enumerate(_batches(subject)):
        require(index.dtype == torch.int64, f"positions are {index.dtype}, they must be int64")
        require(index.shape == (8,), f"step {step} was asked for 8 positions, shape is {tuple(index.shape)}")
        require(bool(((index >= 0) & (index < 60)).all()), f"step {step} has a position outside the pool of 60")
        if weight is not None:
            proper = weight.shape == (8,) and bool((weight.isfinite() & (weight >= 0)).all())
            require(proper, f"weights of step {step} are not 8 finite numbers of at least 0")


def _kept(subject: Subject) -> None:
    used = {position for index, _ in _batches(subject) for position in index.tolist()}
    require(len(used) <= 20, f"20 examples may be used, it used {len(used)} different ones")


def _data_deterministic(subject: Subject) -> None:
    for (index, weight), (other, other_weight) in zip(_batches(subject, 1), _batches(subject, 2), strict=True):
        same = same_bits(index, other) and (weight is None) == (other_weight is None)
        if weight is not None and other_weight is not None:
            same = same and same_bits(weight, other_weight)
        require(same, "two runs with equal seeds give different batches")
