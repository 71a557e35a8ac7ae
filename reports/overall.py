"""Several tasks at once: all that reports say of a contest, and the tables that show it.

What takes long or tells nothing for very many entrants is left out beyond stated sizes, and a note says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.aggregate import Ends, Estimate, Standing, standings
from reports.contest import Contest, contests, table
from reports.figures import ends, medians
from reports.leaderboard import Leaderboard
from reports.multiplicity import smallest_adjusted_p
from reports.pareto import COSTS, fronts
from reports.profile import Profile, profile
from reports.ranks import (
    CriticalDifference,
    Pair,
    Scores,
    Stability,
    critical_difference,
    leave_one_entrant_out,
    leave_one_task_out,
    pairs,
)
from reports.sheet import Column, Sheet
from reports.statistics import LEVEL, Interval, fewest, median
from reports.text import listed, significant, writer

#: Values up to which bootstrap intervals are computed, which takes two seconds.
LARGEST = 4_000
#: Entrants up to which all pairs, critical differences and the stability of the order are computed.
CROWD = 30
#: How a table names the costs of `reports.pareto`.
COST_WORDS = {"nfe": "evaluations", "seconds": "wall time", "sent": "sent", "state": "state"}


@dataclass(frozen=True)
class Overall:
    """One contest over at least two tasks.

    Args:
        contest: who entered where.
        tasks: tasks that count; left_out: the others, with the reason.
        seeds: per task, as many for each.
        standings: best first.
        profile: performance profiles of cost to target; without tasks where there is no target.
        fronts: by cost, on how many tasks each method lies on the front, out of how many.
        pairs: every two methods over tasks; empty beyond `CROWD` entrants, as the following ones are None.
        critical: from 10 tasks on.
        without_task, without_entrant: the order by mean rank when something is left out.
        resampled: whether bootstrap intervals were computed where seeds allow them.
    """

    contest: Contest
    tasks: tuple[str, ...]
    left_out: tuple[str, ...]
    seeds: int
    standings: tuple[Standing, ...]
    profile: Profile
    fronts: Mapping[str, tuple[Mapping[str, int], int]]
    pairs: tuple[Pair, ...]
    critical: CriticalDifference | None
    without_task: Stability | None
    without_entrant: Stability | None
    resampled: bool

    @property
    def title(self) -> str:
        """4 methods over 3 tasks."""
        return f"{len(self.contest.methods)} methods over {len(self.tasks)} tasks"


def overall(boards: Sequence[Leaderboard], level: float = LEVEL) -> list[Overall]:
    """One for each contest of at least two tasks that tell its methods apart."""
    several = [contest for contest in contests(boards) if len(contest.boards) > 1]
    return [found for contest in several if (found := _overall(contest, level)) is not None]


def _overall(contest: Contest, level: float) -> Overall | None:
    found = table(contest)
    if len(found.tasks) < 2:
        return None
    trials = sum(len(row.trials) for board in contest.boards for row in board.rows)
    resampled, crowded = trials <= LARGEST, len(contest.methods) > CROWD
    medians: Scores = _by_method(contest.methods, found.values)
    scores: Scores = _by_method(contest.methods, found.scores)
    return Overall(
        contest=contest,
        tasks=found.tasks,
        left_out=found.left_out,
        seeds=found.seeds if found.varying else 0,
        standings=tuple(standings(found, level, resampled)),
        profile=profile(contest, level=level, resample=resampled),
        fronts=_fronts(contest),
        pairs=() if crowded else tuple(pairs(scores)),
        critical=None if crowded else critical_difference(medians),
        without_task=None if crowded else leave_one_task_out(medians, found.tasks),
        without_entrant=None if crowded else leave_one_entrant_out(medians),
        resampled=resampled,
    )


def _by_method(methods: Sequence[str], values: object) -> dict[str, list[float]]:
    """Medians over seeds on each task, from an array (M, T, S)."""
    return {m: [median(seeds) for seeds in tasks.tolist()] for m, tasks in zip(methods, values, strict=True)}  # type: ignore[call-overload]


def _fronts(contest: Contest) -> dict[str, tuple[dict[str, int], int]]:
    """Costs in which all entrants are alike on a task have no front there."""
    found: dict[str, tuple[dict[str, int], int]] = {}
    for board in contest.boards:
        for cost, points in fronts(board).items():
            if len({point.cost for point in points}) > 1:
                counts, tasks = found.get(cost, (dict.fromkeys(contest.methods, 0), 0))
                for point in points:
                    counts[point.method] += point.on_front
                found[cost] = counts, tasks + 1
    return {cost: found[cost] for cost in COSTS if cost in found}


def standings_sheet(one: Overall) -> Sheet:
    """Who is ahead over all tasks, the highest interquartile mean first."""
    ranked, scored = one.standings, one.profile
    methods = tuple(s.method for s in ranked)
    means, ranks = [s.iqm for s in ranked], [s.mean_rank for s in ranked]
    groups: list[tuple[Column, ...]] = [
        (
            Column("method", _marked(methods, one.contest.provisional), right=False, key=True),
            Column("interquartile mean", _cells(means, 3), right=False),
            Column("mean rank", _cells(ranks, 2), right=False),
        )
    ]
    if scored.tasks:
        estimates = [Estimate(scored.scores[m], scored.intervals.get(m), None) for m in methods]
        groups[0] += (Column("profile score B", _cells(estimates, 3), right=False),)
    if any(s.iqm.over_tasks for s in ranked):
        groups.append(
            (
                Column("mean over tasks too", _over_tasks(means, 3), right=False),
                Column("rank over tasks too", _over_tasks(ranks, 2), right=False),
            )
        )
    if one.fronts:
        groups.append(
            tuple(
                Column(f"front, {COST_WORDS[cost]}", tuple(f"{counts[m]}/{tasks}" for m in methods))
                for cost, (counts, tasks) in one.fronts.items()
            )
        )
    return Sheet(
        title=one.title,
        lines=(f"{listed(one.tasks)} · spec {one.contest.spec} · run {one.contest.run}",),
        groups=tuple(groups),
        emphasis=tuple("" if i else "strong" for i in range(len(ranked))),
        notes=tuple(_notes(one)),
        legend=tuple(_legend(one)),
    )


def _legend(one: Overall) -> list[str]:
    legend = [
        "interquartile mean: of the scores of all tasks and seeds, 0 the worst median of a task, 1 its best",
        "mean rank: by the median, 1 is best; both depend on who entered",
    ]
    if one.profile.tasks:
        legend.append(
            "profile score B: mean over tasks of max(0, (4 - r) / 3), r the cost to the target over the best entrant's"
        )
    if one.fronts:
        legend.append("front: on how many tasks no other method has a better median at no higher median cost")
    return legend


def _notes(one: Overall) -> list[str]:
    notes = [f"left out: {reason}" for reason in one.left_out]
    if one.seeds and one.seeds < fewest():
        notes.append(f"n = {one.seeds} seeds are too few for 95 %, an interval takes {fewest()}")
    elif one.seeds and not one.resampled:
        notes.append(f"no intervals: they are computed for up to {LARGEST} trials")
    elif one.seeds:
        notes.append(f"[low, high]: 95 % of bootstrap replicates over the {one.seeds} seeds of each task")
    if one.profile.tasks:
        notes.append(f"profile score B: by {one.profile.cost} to the target, on {listed(one.profile.tasks)}")
    if one.profile.unreached:
        notes.append(f"nobody reached the target of {listed(one.profile.unreached)}")
    if one.critical is not None:
        found = one.critical
        notes.append(
            f"mean ranks closer than {significant(found.difference)} are not separated "
            f"(Nemenyi's critical difference, {found.tasks} tasks; Friedman's p = {significant(found.p)})"
        )
    if one.pairs and (least := smallest_adjusted_p(len(one.tasks), len(one.pairs))) > 1 - LEVEL:
        notes.append(f"pairs are not tested: {len(one.tasks)} tasks allow no Holm's p below {significant(least)}")
    if one.contest.provisional:
        notes.append(f"* provisional on some task: {listed(one.contest.provisional)}")
    return notes


def pairs_sheet(one: Overall) -> Sheet | None:
    """Every two methods over tasks by the exact signed-rank test, smallest p first; None where that tells nothing."""
    smallest = smallest_adjusted_p(len(one.tasks), len(one.pairs))
    if not one.pairs or smallest > 1 - LEVEL:
        return None
    note = (
        f"exact signed-rank test of the median scores; smallest Holm's p that {len(one.tasks)} tasks and "
        f"{len(one.pairs)} pairs allow: {significant(smallest)}"
    )
    return Sheet(
        title=f"Pairs over {len(one.tasks)} tasks",
        lines=(),
        groups=(
            (
                Column("method", tuple(pair.a for pair in one.pairs), right=False, key=True),
                Column("against", tuple(pair.b for pair in one.pairs), right=False),
                Column("p", tuple(significant(pair.p) for pair in one.pairs)),
                Column("Holm's p", tuple(significant(pair.adjusted) for pair in one.pairs)),
            ),
        ),
        emphasis=tuple("strong" if pair.adjusted <= 1 - LEVEL else "" for pair in one.pairs),
        notes=(note,),
    )


def stability_sheet(one: Overall) -> Sheet | None:
    """What changes the order by mean rank when it is left out; None for a few tasks or methods, where it must."""
    stable = {"task": one.without_task, "method": one.without_entrant}
    kinds = [(kind, found) for kind, found in stable.items() if found and len(found.without) > 2]
    tried = [(kind, left, order, found) for kind, found in kinds for left, order in found.without.items()]
    if not tried:
        return None
    changed = [(kind, left, order) for kind, left, order, found in tried if left in found.changed]
    counts = [f"{sum(k == kind for k, *_ in changed)} of {len(found.without)} {kind}s" for kind, found in kinds]
    return Sheet(
        title="Stability of the order",
        lines=(f"by mean rank: {', '.join(kinds[0][1].order)}", f"it changes without one of: {' · '.join(counts)}"),
        groups=(
            (
                Column("left out", tuple(left for _, left, _ in changed), right=False, key=True),
                Column("is a", tuple(kind for kind, *_ in changed), right=False),
                Column("order of the others", tuple(", ".join(order) for *_, order in changed), right=False),
            ),
        ),
        emphasis=tuple("" for _ in changed),
        notes=(),
    )


def _cells(estimates: Sequence[Estimate], places: int) -> tuple[str, ...]:
    """Numbers with as many decimals, and their intervals over seeds where there are any."""
    values, write = [_interval(e.value, e.over_seeds) for e in estimates], writer(places)
    spans = [
        span if value.kind == "interval" else "" for value, span in zip(values, ends(values, write, ""), strict=True)
    ]
    return tuple(f"{middle} {span}".rstrip() for middle, span in zip(medians(values, write, ""), spans, strict=True))


def _interval(value: float, ends: Ends | None) -> Interval:
    return Interval("exact", 1, value, value, value) if ends is None else Interval("interval", 1, value, *ends)


def _over_tasks(estimates: Sequence[Estimate], places: int) -> tuple[str, ...]:
    return ends([_interval(e.value, e.over_tasks) for e in estimates], writer(places), "")


def _marked(methods: Sequence[str], provisional: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{m} *" if m in provisional else m for m in methods)
