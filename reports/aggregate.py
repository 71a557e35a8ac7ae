"""One number per method over tasks and seeds: interquartile mean, mean rank, probability of improvement.

Intervals are percentiles of a stratified bootstrap: seeds are drawn anew within each task, the same ones for all
methods, because the same seed means the same data and noise.  Those `over_tasks` draw the tasks too, for statements
about tasks like these instead of about these tasks.  Below 6 seeds, or 6 tasks, there is no interval: a bootstrap of so
few covers far less than it says.

Source: R. Agarwal et al., NeurIPS 2021, arXiv:2108.13264 (interquartile mean, stratified bootstrap, probability of
improvement).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.contest import Table
from reports.statistics import LEVEL, fewest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REPLICATES = 10_000
#: Replicates for the probability of improvement, which costs S^2 a task and pair.
FEWER_REPLICATES = 2_000
#: Names the draws of all reports, so that a report is a function of the results alone.
KEY = 20261121

Ends = tuple[float, float]
#: Ends for each method over seeds, and over tasks too.
BothEnds = tuple[list[Ends] | None, list[Ends] | None]


@dataclass(frozen=True)
class Estimate:
    """A number with its bootstrap intervals; None where seeds or tasks are too few, or nothing varies."""

    value: float
    over_seeds: Ends | None
    over_tasks: Ends | None


@dataclass(frozen=True)
class Standing:
    """One method over all tasks of its contest: scores are those of `reports.contest.Table`, ranks begin at 1."""

    method: str
    iqm: Estimate
    mean_rank: Estimate


def standings(table: Table, level: float = LEVEL, resample: bool = True) -> list[Standing]:
    """All methods of a table, the highest interquartile mean first; none of a table without tasks.

    Without `resample` there are no intervals: they take most of the time.
    """
    if not table.tasks:
        return []
    iqm = _estimates(iqms(table.scores), _both(_iqm_ends, table, level) if resample else (None, None))
    rank = _estimates(mean_ranks(_medians(table.values)), _both(_rank_ends, table, level) if resample else (None, None))
    found = [Standing(*one) for one in zip(table.methods, iqm, rank, strict=True)]
    return sorted(found, key=lambda s: (-s.iqm.value, s.mean_rank.value, s.method))


def iqms(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interquartile mean of each method's T S scores: their mean without a quarter, rounded down, at either end."""
    import numpy as np

    ordered = np.sort(scores.reshape(len(scores), -1), axis=1)
    cut = ordered.shape[1] // 4
    middle: NDArray[np.float64] = ordered[:, cut : ordered.shape[1] - cut].mean(axis=1)
    return middle


def mean_ranks(medians: Any) -> Any:
    """Mean over tasks, the last axis, of each method's rank by its median; 1 is best, equal ones share their mean."""
    import numpy as np

    ranks = []
    for own in medians:
        better = (medians > own).sum(axis=0)
        equal = (medians == own).sum(axis=0)
        ranks.append(better + (equal + 1) / 2)
    return np.mean(ranks, axis=-1)


def probability_of_improvement(table: Table, a: str, b: str, level: float = LEVEL) -> Estimate:
    """Mean over tasks of the probability that a trial of `a` beats one of `b`; a tie counts half.

    Every seed of one is compared with every seed of the other, as in the source; 0.5 says that nothing separates them.

    Raises:
        ValueError: the table has no such method, or no task.
    """
    import numpy as np

    x, y = (table.values[table.methods.index(method)] for method in (a, b))
    if not table.tasks:
        raise ValueError("a table without tasks")
    wins = (x[:, :, None] > y[:, None, :]) + 0.5 * (x[:, :, None] == y[:, None, :])

    def ends(over_tasks: bool) -> Ends | None:
        if not _enough(table, over_tasks, level):
            return None
        counts, task = _counts(table, FEWER_REPLICATES, over_tasks)
        drawn = np.stack(
            [np.einsum("rs,rsu,ru->r", counts[:, t], wins[task[:, t]], counts[:, t]) for t in range(len(x))]
        )
        low, high = np.quantile(drawn.mean(axis=0) / table.seeds**2, _quantiles(level))
        return float(low), float(high)

    return Estimate(float(wins.mean()), ends(False), ends(True))


def _both(ends: Callable[[Table, bool, float], list[Ends] | None], table: Table, level: float) -> BothEnds:
    return ends(table, False, level), ends(table, True, level)


def _estimates(values: Any, ends: BothEnds) -> list[Estimate]:
    """One estimate per method, from the ends over seeds and those over tasks too."""
    over_seeds, over_tasks = ends
    return [
        Estimate(float(value), over_seeds[m] if over_seeds else None, over_tasks[m] if over_tasks else None)
        for m, value in enumerate(values)
    ]


def _enough(table: Table, over_tasks: bool, level: float) -> bool:
    seeds_enough = table.seeds >= fewest(level)
    if over_tasks:
        return len(table.tasks) >= fewest(level) and (seeds_enough or not table.varying)
    return seeds_enough and table.varying > 0


def _quantiles(level: float) -> list[float]:
    return [(1 - level) / 2, (1 + level) / 2]


def _iqm_ends(table: Table, over_tasks: bool, level: float) -> list[Ends] | None:
    if not _enough(table, over_tasks, level):
        return None
    import numpy as np

    from kernels.core.resampling import bootstrap_iqm

    drawn = bootstrap_iqm(table.scores, REPLICATES, KEY, resample_tasks=over_tasks)
    return [(float(low), float(high)) for low, high in np.quantile(drawn, _quantiles(level), axis=0).T]


def _rank_ends(table: Table, over_tasks: bool, level: float) -> list[Ends] | None:
    if not _enough(table, over_tasks, level):
        return None
    import numpy as np

    drawn = _positions(table, REPLICATES, over_tasks)
    shape = (len(drawn), len(table.tasks), table.seeds)
    medians = np.stack([_medians(values.reshape(-1)[drawn].reshape(shape)) for values in table.values])
    return [(float(low), float(high)) for low, high in np.quantile(mean_ranks(medians), _quantiles(level), axis=1).T]


def _medians(values: Any) -> Any:
    import numpy as np

    return np.median(values, axis=-1)


def _positions(table: Table, replicates: int, over_tasks: bool) -> Any:
    from kernels.core.resampling import positions

    return positions((len(table.methods), len(table.tasks), table.seeds), replicates, KEY, over_tasks)


def _counts(table: Table, replicates: int, over_tasks: bool) -> tuple[Any, Any]:
    """How often each seed was drawn, (R, T, S), and which task each place stands for, (R, T)."""
    import numpy as np

    drawn = _positions(table, replicates, over_tasks).reshape(replicates, len(table.tasks), table.seeds)
    seeds = drawn % table.seeds
    counts = np.stack([(seeds == s).sum(axis=2) for s in range(table.seeds)], axis=2)
    return counts.astype(np.float64), drawn[:, :, 0] // table.seeds
