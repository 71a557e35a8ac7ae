"""What a spec's page says over several tasks: standings, profiles of cost to target, quality against cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.contest import Contest, contests, table
from reports.leaderboard import Leaderboard
from reports.pareto import COSTS, fronts
from reports.profile import profile
from reports.sheet import Column, Sheet
from reports.text import significant

#: Values up to which bootstrap intervals are computed; beyond, they would take longer than the rest of the site.
LARGEST = 20_000
#: Methods whose profiles are drawn.
DRAWN = 7


@dataclass(frozen=True)
class Chart:
    """One chart of a page: its kind, values or the script that brings them, and the words in its titles."""

    kind: str
    title: str
    words: dict[str, str]
    values: list[dict[str, Any]]
    source: str = ""


@dataclass(frozen=True)
class Overall:
    """One contest: who entered where, its table, and its profiles."""

    title: str
    sheet: Sheet
    chart: Chart | None


def overall(boards: Sequence[Leaderboard]) -> list[Overall]:
    """The contests of a run that have several tasks and are small enough to be resampled."""
    return [found for c in contests(boards) if len(c.boards) > 1 and (found := _overall(c)) is not None]


def pareto_charts(board: Leaderboard, name: str) -> list[Chart]:
    """Quality against each cost in which the ranked methods differ."""
    charts = []
    for cost, points in fronts(board).items():
        if len({point.cost for point in points}) < 2:
            continue
        values: list[dict[str, Any]] = [
            {"method": p.method, "quality": p.quality, "cost": p.cost, "on_front": p.on_front} for p in points
        ]
        label = f"{COST_WORDS[cost]} ({COSTS[cost]})" if cost != "nfe" else COST_WORDS[cost]
        charts.append(Chart("pareto", f"{name} against {COST_WORDS[cost]}", {"metric": name, "cost": label}, values))
    return charts


COST_WORDS = {"nfe": "evaluations", "seconds": "wall time", "sent": "sent", "state": "state"}


def _overall(contest: Contest) -> Overall | None:
    from reports.aggregate import standings

    trials = sum(len(row.trials) for board in contest.boards for row in board.rows)
    if trials > LARGEST:
        return None
    found = table(contest)
    ranked = standings(found)
    if not ranked:
        return None
    scored = profile(contest)
    columns = [
        Column("method", tuple(s.method for s in ranked), right=False, key=True),
        Column("interquartile mean", tuple(significant(s.iqm.value) for s in ranked)),
        Column("over seeds", tuple(_ends(s.iqm.over_seeds) for s in ranked), right=False),
        Column("mean rank", tuple(significant(s.mean_rank.value) for s in ranked)),
        Column("over seeds", tuple(_ends(s.mean_rank.over_seeds) for s in ranked), right=False),
    ]
    if scored.tasks:
        columns.append(Column("profile score", tuple(significant(scored.scores[s.method]) for s in ranked)))
        columns.append(Column("over seeds", tuple(_ends(scored.intervals.get(s.method)) for s in ranked), right=False))
    notes = [
        "scores lie between 0, the worst median of a task, and 1, its best; they depend on who entered",
        *(f"left out: {reason}" for reason in found.left_out),
        *(f"{method} is provisional" for method in contest.provisional),
    ]
    if scored.tasks:
        notes.append(f"profile score: by {scored.cost} to the target, on {', '.join(scored.tasks)}")
    title = f"{len(contest.methods)} methods over {len(found.tasks)} tasks"
    emphasis = tuple("strong" if i == 0 else "" for i in range(len(ranked)))
    shown = Sheet(title, (", ".join(found.tasks),), (tuple(columns),), emphasis, tuple(notes))  # type: ignore[arg-type]
    if not scored.tasks:
        return Overall(title, shown, None)
    best = sorted(scored.scores, key=lambda m: -scored.scores[m])[:DRAWN]
    values = [
        {"method": m, "ratio": ratio, "share": share}
        for m in best
        for ratio, share in ((1.0, 0.0), *scored.curve(m), (math.inf, -1.0))
        if share >= 0
    ]
    return Overall(title, shown, Chart("profile", "Share of tasks within a factor of the best cost", {}, values))


def _ends(ends: tuple[float, float] | None) -> str:
    return f"[{significant(ends[0])}, {significant(ends[1])}]" if ends else ""
