"""What a night found: decisions on kernels and methods, from the registry, as data and as text.

A night is one `bench nightly`.  It leaves records of kind "benchmark": `gate.night` (the night itself), `gate.kernel`
and `gate.control` (ratios of times, see docs/nightly.md) and `gate.method` (paired differences), tied by `night`.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from reports.pairs import paired
from reports.statistics import Direction
from reports.text import markdown as escaped
from reports.text import significant

if TYPE_CHECKING:
    from registry import Registry

#: Exit codes of a night.
FINE, REGRESSED, BENCHMARK_FAILED, NOTHING, NOISY = 0, 10, 11, 12, 13
#: Fewer seeds than this judge no method.
SEEDS = 8

Change = Literal["same numbers", "changed", "worse", "better"]
Kind = Literal["kernel", "control", "method"]


@dataclass(frozen=True)
class Judged:
    """A method under two versions of the code: head - base over common seeds, and the margin of no matter.

    Args:
        estimate, low, high: Hodges-Lehmann estimate and its interval.
    """

    decision: Change
    n: int
    estimate: float
    low: float
    high: float
    margin: float


def equivalence_margin(values: Iterable[float]) -> float:
    """Differences up to this are of no matter: half the interquartile range over the seeds of the base.

    At least 1 % of the median's size and at least 1e-6, because a refactor moves float32 results in every seed and
    some tasks have no spread.  0 where no value is finite.
    """
    finite = sorted(v for v in values if math.isfinite(v))
    if not finite:
        return 0.0
    low, _, high = statistics.quantiles(finite, n=4, method="inclusive") if len(finite) > 1 else finite * 3
    return max((high - low) / 2, 0.01 * abs(statistics.median(finite)), 1e-6)


def judge(
    base: Mapping[int, float], head: Mapping[int, float], direction: Direction, varies: bool = True
) -> Judged | None:
    """Worse or better only if the whole interval of the paired difference lies beyond the margin; None without pairs.

    Args:
        base, head: value by seed, infinite where diverged.
        varies: False where nothing varies with the seed: one pair is exact and decides.
    """
    difference = paired(head, base, varies=varies)
    if difference.n == 0:
        return None
    margin = equivalence_margin(base.values())
    low, high = (-difference.high, -difference.low) if direction == "max" else (difference.low, difference.high)
    decision: Change = "changed"
    if difference.equal == difference.n:
        decision = "same numbers"
    elif direction != "none" and (difference.n >= SEEDS or not varies):
        decision = "worse" if low > margin else "better" if high < -margin else "changed"
    return Judged(decision, difference.n, difference.estimate, difference.low, difference.high, margin)


@dataclass(frozen=True)
class Line:
    """One decision.

    Args:
        name: a kernel, or `method on task (metric)`.
        decision: "slower", "regressed", "changed", ... as docs/nightly.md lists them.
        value, low, high: ratio of times, or difference of the metric; None where nothing was measured.
        details: everything else that the record tells.
    """

    kind: Kind
    name: str
    decision: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Night:
    """Everything one night decided; `started` in seconds since 1970."""

    id: str
    started: float
    suite: str
    base: str
    commit: str
    lines: tuple[Line, ...]

    def of(self, kind: Kind, decisions: Collection[str]) -> list[Line]:
        """The lines of this kind with one of these decisions."""
        return [line for line in self.lines if line.kind == kind and line.decision in decisions]

    @property
    def alarmed(self) -> bool:
        """Whether the control called head slower or faster than itself: no time of this night can be trusted."""
        return bool(self.of("control", ("slower", "faster")))

    @property
    def exit_code(self) -> int:
        """10 confirmed regression, 11 a benchmark failed, 12 nothing measured, 13 too noisy to say, else 0."""
        if not self.lines:
            return NOTHING
        if self.of("method", ("regressed",)) or (self.of("kernel", ("slower",)) and not self.alarmed):
            return REGRESSED
        if any(line.decision == "failed" for line in self.lines):
            return BENCHMARK_FAILED
        unsure = ("too noisy", "not confirmed")
        return NOISY if self.alarmed or self.of("kernel", unsure) or self.of("control", unsure) else FINE


@dataclass(frozen=True)
class FalseAlarms:
    """Controls that found a difference where there is none, of all that were measured.

    Args:
        once: alarms of the first series; twice: of both, which is what counts.
        bound: upper end of the exact one-sided 95 % interval of the rate of `twice`.
    """

    controls: int
    once: int
    twice: int
    bound: float


def load_night(registry: Registry, night: str | None = None) -> Night | None:
    """A night by its id, by default the newest; None where there is none."""
    asked = "" if night is None else "AND params ->> 'night' = $1"
    rows = registry.table(
        f"SELECT git_commit, params, measured FROM benchmarks WHERE benchmark = 'gate.night' {asked} "
        "ORDER BY measured DESC LIMIT 1",
        [] if night is None else [night],
    ).to_pylist()
    if not rows:
        return None
    params = json.loads(rows[0]["params"])
    found = registry.table(
        "SELECT benchmark, params, value, low, high FROM benchmarks WHERE params ->> 'night' = $1 "
        "AND benchmark <> 'gate.night' ORDER BY benchmark, record",
        [params["night"]],
    ).to_pylist()
    lines = sorted((_line(row) for row in found), key=lambda line: (line.kind, line.name))
    return Night(
        params["night"], rows[0]["measured"], params["suite"], params["base"], rows[0]["git_commit"], tuple(lines)
    )


def _line(row: Mapping[str, Any]) -> Line:
    params = json.loads(row["params"])
    kind: Kind = row["benchmark"].removeprefix("gate.")
    name = params["kernel"] if kind != "method" else f"{params['method']} on {params['task']} ({params['metric']})"
    return Line(kind, name, params["decision"], row["value"], row["low"], row["high"], params)


def false_alarms(registry: Registry) -> FalseAlarms:
    """How often the controls of all nights called a kernel different from itself."""
    rows = registry.table("SELECT params FROM benchmarks WHERE benchmark = 'gate.control'").to_pylist()
    found = [json.loads(row["params"]) for row in rows]
    measured = [entry for entry in found if entry["decision"] != "failed"]
    twice = sum(entry["decision"] in ("slower", "faster") for entry in measured)
    once = twice + sum(entry["decision"] == "not confirmed" for entry in measured)
    return FalseAlarms(len(measured), once, twice, upper_bound(twice, len(measured)))


def upper_bound(hits: int, n: int, level: float = 0.95) -> float:
    """Upper end of the one-sided interval of a rate of C. J. Clopper and E. S. Pearson, Biometrika 26, 1934."""
    if hits >= n:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        tail = sum(math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(hits + 1))
        low, high = (rate, high) if tail > 1 - level else (low, rate)
    return high


def night_markdown(night: Night, alarms: FalseAlarms) -> str:
    """A night as a page: what regressed, what improved, what changed, what could not be judged, and the control."""
    day = time.strftime("%Y-%m-%d %H:%M", time.gmtime(night.started))
    sections = (
        ("Regressed", night.of("method", ("regressed",)) + ([] if night.alarmed else night.of("kernel", ("slower",)))),
        ("Improved", night.of("method", ("improved",)) + ([] if night.alarmed else night.of("kernel", ("faster",)))),
        ("Changed, without a confirmed difference", night.of("method", CHANGED) + night.of("kernel", CHANGED)),
        ("Failed", [line for line in night.lines if line.decision == "failed"]),
        ("Too noisy to say", night.of("kernel", UNSURE) + (night.of("kernel", MOVED) if night.alarmed else [])),
    )
    equal = (
        f"{len(night.of('method', ('equal',)))} methods on their tasks, {len(night.of('kernel', ('equal',)))} kernels"
    )
    head = (
        f"Commit `{escaped(night.commit)}` against `{escaped(night.base)}`, suite {escaped(night.suite)}. "
        f"Exit status {night.exit_code}: {MEANING[night.exit_code]}."
    )
    rate = (
        f"All nights: {alarms.twice} false alarms in {alarms.controls} controls ({alarms.once} in the first series "
        f"alone); the rate is below {100 * alarms.bound:.1f} % with 95 % confidence."
    )
    parts = [
        f"# Night of {day} UTC",
        head,
        *(f"## {title}\n\n{_listed(lines)}" for title, lines in sections),
        f"## Equal by definition\n\nSame code, libraries and data: {equal}.",
        f"## Control: this version against itself\n\n{_listed(night.of('control', ALL))}\n\n{rate}",
    ]
    return "\n\n".join(parts) + "\n"


MEANING = {
    FINE: "nothing got worse",
    REGRESSED: "a regression is confirmed",
    BENCHMARK_FAILED: "a benchmark failed",
    NOTHING: "nothing was measured",
    NOISY: "the machine was too noisy to say",
}
MOVED = ("slower", "faster")
UNSURE = ("too noisy", "not confirmed")
CHANGED = (
    "changed",
    "same numbers",
    "same",
    "new",
    "removed",
    "restarted",
    "not confirmed worse",
    "not confirmed better",
)
ALL = (*MOVED, *UNSURE, "same", "failed")


def _listed(lines: Sequence[Line]) -> str:
    return "\n".join(f"- {escaped(_sentence(line))}" for line in lines) or "Nothing."


def _sentence(line: Line) -> str:
    """One line of text for one decision."""
    details = line.details or {}
    told = f"{line.kind} {line.name}: {line.decision}"
    if "error" in details:
        return f"{told}, {details['error']}"
    if line.value is None:
        return told
    if line.kind == "method":
        bounds = f"[{significant(line.low or 0.0)}, {significant(line.high or 0.0)}]"
        return (
            f"{told}, difference {significant(line.value)} {bounds} over {details['n']} seeds, "
            f"margin {significant(details['margin'])}"
        )
    again = f", again x{details['second']:.3f}" if "second" in details else ""
    return f"{told}, x{line.value:.3f} of the time (p {details['p']:.4f}){again}"
