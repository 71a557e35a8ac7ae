"""Two methods side by side over the tasks and seeds that both have."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass

from reports.leaderboard import scores
from reports.model import Metric, Results, Task
from reports.pairs import Paired, Verdict, paired, paired_ratio, verdict
from reports.statistics import LEVEL, Interval, interval


class NoComparison(LookupError):
    """The two methods have nothing in common; one line that says what there is."""


@dataclass(frozen=True)
class Compared:
    """Methods a and b by one metric of one task.

    Args:
        run, spec, task, metric: where.
        a, b: each method over all its seeds.
        difference: a - b over common seeds; the test is exact and not corrected for the number of lines.
        ratio: a / b over common seeds, None unless all values are positive.
        verdict: what the difference says of a.
        stale: number of trials of either method that come from older code, libraries or data.
    """

    run: str
    spec: str
    task: Task
    metric: Metric
    a: Interval
    b: Interval
    difference: Paired
    ratio: Paired | None
    verdict: Verdict
    stale: int


@dataclass(frozen=True)
class Comparison:
    """Method `a` against method `b`: one line per common task and metric, the ranking metric of each task first."""

    a: str
    b: str
    lines: tuple[Compared, ...]

    @property
    def ranking(self) -> tuple[Compared, ...]:
        """The lines of the metrics that rank, one per task."""
        return tuple(line for line in self.lines if line.metric == line.task.metrics[0])


def compare(results: Results, a: str, b: str, level: float = LEVEL) -> Comparison:
    """Paired comparison of two methods, by every metric of every task that both meet.

    Diverged trials and such without a finite number count as infinitely bad, other failures give no pair.

    Raises:
        NoComparison: a method is unknown, both are the same, or no task has both.
    """
    known = list(dict.fromkeys(method for run in results.runs for method in run.methods))
    for method in (a, b):
        if method not in known:
            near = difflib.get_close_matches(method, known, 1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise NoComparison(f'no method "{method}" in these results: there are {", ".join(known) or "none"}{hint}')
    if a == b:
        raise NoComparison(f'"{a}" cannot be compared with itself; name two methods')
    lines = []
    for run, task, cells in results.cells():
        if a not in cells or b not in cells:
            continue
        for metric in task.metrics:
            varies = bool(task.varies)
            left, right = scores(cells[a], metric), scores(cells[b], metric)
            difference = paired(left, right, level, varies)
            lines.append(
                Compared(
                    run=run.id,
                    spec=run.spec,
                    task=task,
                    metric=metric,
                    a=interval(left.values(), level, varies),
                    b=interval(right.values(), level, varies),
                    difference=difference,
                    ratio=paired_ratio(left, right, level, varies),
                    verdict=verdict(difference, metric.direction),
                    stale=sum(trial.stale for trial in (*cells[a], *cells[b])),
                )
            )
    if not lines:
        raise NoComparison(f'no task has both "{a}" and "{b}"')
    return Comparison(a, b, tuple(lines))


def render_comparison(comparison: Comparison, form: str = "terminal", width: int | None = None) -> str:
    """A comparison as text.

    Args:
        form: "terminal", "md" or "json".
        width: columns of the terminal; by default its own, 100 where there is none.

    Raises:
        ValueError: another form.
    """
    from reports.sheet import markdown_tables, terminal
    from reports.tables import comparison_sheet

    if form == "terminal":
        return terminal([comparison_sheet(comparison)], width)
    if form == "md":
        return markdown_tables([comparison_sheet(comparison)])
    if form == "json":
        from reports.machine import json_text

        return json_text(comparison=asdict(comparison))
    raise ValueError(f'unknown format "{form}"; one of terminal, md, json')
