"""What a running trial offers to its task and components: randomness, counters, clock, records, artefacts."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from harness.protocols.component import ComponentRef

Counter = Literal["forwards", "nfe", "samples", "draws", "bits"]


class Skip(Exception):
    """Raised by a task that cannot run here; the message names the remedy.  The trial is recorded as `skipped`."""


class Diverged(Exception):
    """Raised when a monitored quantity stopped being finite; the trial is recorded as `diverged`."""


@dataclass(frozen=True)
class Budget:
    """What a trial may spend; None where the task does not limit it."""

    steps: int | None = None
    seconds: float | None = None
    nfe: int | None = None
    bits: int | None = None


@dataclass(frozen=True)
class Point:
    """One recorded value with what had been spent when it was taken (seconds exclude evaluation)."""

    metric: str
    value: float
    step: int
    seconds: float
    nfe: int
    bits: int


def seed_of(seed: int, purpose: str, *index: int | str) -> int:
    """63-bit seed from (seed, purpose, index); equal inputs give equal streams on every platform."""
    text = "\x1f".join([str(seed), purpose, *map(str, index)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


class TrialContext:
    """One trial's seed, budget, counters, clock and record.

    Args:
        seed: the trial's seed.
        budget: the resolved budget.
        bind: turns a `ComponentRef` into a callable (supplied by the loop).
        artefacts: folder of shared artefacts, None where the trial may not use any.
        device, dtype: where and in which precision models run.
        cadence: evaluations per trial for curves; tasks spread them over their budget.
    """

    def __init__(
        self,
        seed: int,
        budget: Budget,
        bind: Callable[[ComponentRef], Callable[..., Any]],
        artefacts: Callable[..., Mapping[str, torch.Tensor]] | None = None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        cadence: int = 10,
    ) -> None:
        self.seed, self.budget, self.device, self.dtype, self.cadence = seed, budget, device, dtype, cadence
        self.bind = bind
        self.points: list[Point] = []
        self.counters: dict[Counter, int] = dict.fromkeys(("forwards", "nfe", "samples", "draws", "bits"), 0)
        self.state_bytes = 0
        self._artefacts = artefacts
        self._paused_at: tuple[float, float] | None = None
        self.start_clock()

    def rng(self, purpose: str, *index: int | str) -> torch.Generator:
        """Fresh CPU generator seeded by (seed, purpose, index).

        How much one generator consumes never moves another, so for one seed all methods see the same data,
        order, initial weights and noise.
        """
        return torch.Generator().manual_seed(seed_of(self.seed, purpose, *index))

    def count(self, counter: Counter, n: int = 1) -> None:
        """Add `n` to what the trial has spent."""
        self.counters[counter] += n

    @property
    def seconds(self) -> float:
        """Wall seconds since the start, evaluation excluded."""
        return self._spent(0)

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of this process since the start, evaluation excluded."""
        return self._spent(1)

    def start_clock(self) -> None:
        """Start counting seconds now: what came before (loading data, building artefacts) is not the method's."""
        self._started, self._excluded = _clocks(), (0.0, 0.0)

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Exclude the body from `seconds` and `cpu_seconds`."""
        if self._paused_at is not None:
            yield
            return
        self._paused_at = begin = _clocks()
        try:
            yield
        finally:
            end = _clocks()
            self._excluded = (self._excluded[0] + end[0] - begin[0], self._excluded[1] + end[1] - begin[1])
            self._paused_at = None

    def _spent(self, clock: int) -> float:
        now = _clocks() if self._paused_at is None else self._paused_at
        return now[clock] - self._started[clock] - self._excluded[clock]

    def record(self, metric: str, value: float, step: int = 0) -> None:
        """Record a metric declared by the task, with steps, seconds, NFE and bits spent so far."""
        self.points.append(Point(metric, float(value), step, self.seconds, self.counters["nfe"], self.counters["bits"]))

    def out_of_budget(self, step: int) -> bool:
        """True once a limit of the budget is reached."""
        limits = (
            (self.budget.steps, step),
            (self.budget.seconds, self.seconds),
            (self.budget.nfe, self.counters["nfe"]),
            (self.budget.bits, self.counters["bits"]),
        )
        return any(limit is not None and spent >= limit for limit, spent in limits)

    def artefact(
        self, name: str, recipe: Callable[..., Mapping[str, torch.Tensor]], params: Mapping[str, Any], seed: int
    ) -> Mapping[str, torch.Tensor]:
        """Tensors of a shared artefact, built once by `recipe(**params, seed=seed)`; the cost is not the method's."""
        if self._artefacts is None:
            return recipe(**params, seed=seed)
        with self.evaluation():
            return self._artefacts(name, recipe, params, seed)


def _clocks() -> tuple[float, float]:
    """Wall and CPU time in seconds."""
    return time.perf_counter(), time.process_time()


@dataclass(frozen=True)
class Method:
    """The components of one trial by slot, each a callable already holding its Params."""

    components: Mapping[str, Callable[..., Any]]
    names: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, slot: str) -> Callable[..., Any]:
        return self.components[slot]


def cache_folder() -> Path:
    """The user's cache folder for data sets and compiled code."""
    from platformdirs import user_cache_path

    return user_cache_path("methodbench")
