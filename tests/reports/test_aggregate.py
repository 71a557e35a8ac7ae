"""Numbers over tasks and seeds: scipy's trimmed mean, closed forms, what bootstrap intervals cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reports.aggregate import iqms, mean_ranks, probability_of_improvement, standings
from reports.contest import HIGHEST, LOWEST, Table, contests, table
from reports.leaderboard import leaderboards
from reports.model import Metric, Task
from tests.reports.example import realistic, results, trial, trials


def tabled(values: np.ndarray, varying: int | None = None) -> Table:
    """A table of made-up scores (M, T, S)."""
    methods, tasks, seeds = values.shape
    names = tuple(f"m{i}" for i in range(methods)), tuple(f"t{i}" for i in range(tasks))
    return Table(*names, seeds, tasks if varying is None else varying, values, values, ())


def test_interquartile_mean_is_scipys_trimmed_mean() -> None:
    values = np.random.default_rng(0).normal(size=(3, 7, 9))
    assert iqms(values) == pytest.approx([stats.trim_mean(v.ravel(), 0.25) for v in values], rel=1e-12)


def test_interval_of_the_interquartile_mean_is_that_of_a_plain_bootstrap() -> None:
    values = np.random.default_rng(1).normal(size=(2, 6, 8))
    found = {s.method: s.iqm for s in standings(tabled(values))}
    drawn = np.random.default_rng(2).integers(0, 8, (10_000, 6, 8))
    plain = stats.trim_mean(np.take_along_axis(values[0][None], drawn, axis=2).reshape(10_000, -1), 0.25, axis=1)
    assert found["m0"].over_seeds == pytest.approx(tuple(np.quantile(plain, [0.025, 0.975])), abs=0.02)
    low, high = found["m0"].over_tasks or pytest.fail("no interval")
    narrow = found["m0"].over_seeds or pytest.fail("no interval")
    assert high - low > narrow[1] - narrow[0]


def test_too_few_seeds_or_tasks_give_no_interval() -> None:
    values = np.random.default_rng(1).normal(size=(2, 5, 5))
    (first, _) = standings(tabled(values))
    assert (first.iqm.over_seeds, first.iqm.over_tasks, first.mean_rank.over_seeds) == (None, None, None)
    exact = np.repeat(np.random.default_rng(1).normal(size=(2, 6, 1)), 1, axis=2)
    (first, _) = standings(tabled(exact, varying=0))
    assert first.iqm.over_seeds is None
    assert first.iqm.over_tasks is not None, "six exact tasks are a sample of tasks all the same"


def test_mean_rank_is_scipys_and_its_interval_lies_around_it() -> None:
    medians = np.random.default_rng(4).integers(0, 3, (4, 11)).astype(float)
    assert mean_ranks(medians) == pytest.approx(stats.rankdata(-medians, axis=0).mean(axis=1))
    values = np.random.default_rng(5).normal(size=(3, 6, 7)) + np.arange(3)[:, None, None] / 2
    for standing in standings(tabled(values)):
        low, high = standing.mean_rank.over_seeds or pytest.fail("no interval")
        assert 1 <= low <= standing.mean_rank.value <= high <= 3


def test_probability_of_improvement_is_the_mann_whitney_share() -> None:
    values = np.random.default_rng(6).integers(0, 4, (2, 5, 8)).astype(float)
    found = probability_of_improvement(tabled(values), "m0", "m1")
    shares = [stats.mannwhitneyu(x, y).statistic / 64 for x, y in zip(*values, strict=True)]
    assert found.value == pytest.approx(np.mean(shares))
    low, high = found.over_seeds or pytest.fail("no interval")
    assert low < found.value < high
    back = probability_of_improvement(tabled(values), "m1", "m0")
    assert back.value == pytest.approx(1 - found.value)


def test_probability_of_improvement_draws_tasks_too() -> None:
    values = np.zeros((2, 8, 6))
    values[0, :4] = 1.0
    values[0, 4:] = -1.0
    found = probability_of_improvement(tabled(values), "m0", "m1")
    assert (found.value, found.over_seeds) == (0.5, (0.5, 0.5))
    low, high = found.over_tasks or pytest.fail("no interval")
    assert (low, high) == pytest.approx(tuple(stats.binom.ppf([0.025, 0.975], 8, 0.5) / 8), abs=0.126)


def test_scores_run_from_the_worst_median_to_the_best_and_a_diverged_trial_has_the_lower_end() -> None:
    where = Task("t", "A task", (Metric("accuracy", "max"),), ("data",))
    entries = [*trials("a", where, [0.9, 0.8, 0.7]), *trials("b", where, [0.2, 0.4, 0.3])]
    entries += [*trials("c", where, [0.5, 0.5]), trial("c", where, 2, status="diverged")]
    (contest,) = contests(leaderboards(results([where], entries)))
    found = table(contest)
    assert found.scores[0, 0] == pytest.approx([1.2, 1, 0.8])
    assert found.scores[1, 0] == pytest.approx([-0.2, 0.2, 0])
    assert found.scores[2, 0] == pytest.approx([0.4, 0.4, LOWEST])
    assert found.scores.max() <= HIGHEST


def test_errors_of_many_magnitudes_are_scored_by_their_logarithm() -> None:
    where = Task("t", "A task", (Metric("error", "min"),), ("data",))
    entries = [*trials("a", where, [1e-8]), *trials("b", where, [1e-4]), *trials("c", where, [1.0])]
    (contest,) = contests(leaderboards(results([where], entries)))
    assert table(contest).scores[:, 0, 0] == pytest.approx([1, 0.5, 0])


def test_exact_tasks_repeat_their_value_and_a_task_that_tells_nothing_is_left_out() -> None:
    exact = Task("exact", "A task", (Metric("error", "min"),), ())
    same = Task("same", "A task", (Metric("error", "min"),), ("data",))
    noisy = Task("noisy", "A task", (Metric("error", "min"),), ("data",))
    entries = [e for m, v in (("a", 1.0), ("b", 2.0)) for e in trials(m, exact, [v])]
    entries += [e for m in ("a", "b") for e in trials(m, same, [1.0, 1.0, 1.0])]
    entries += [e for m in ("a", "b") for e in trials(m, noisy, [1.0 + ord(m), 2.0, 3.0, 4.0 + ord(m)])]
    (contest,) = contests(leaderboards(results([exact, same, noisy], entries)))
    found = table(contest)
    assert (found.tasks, found.seeds, found.varying) == (("exact", "noisy"), 4, 1)
    assert found.scores[:, 0] == pytest.approx(np.array([[1.0] * 4, [0.0] * 4]))
    assert found.left_out == ("same: does not tell the methods apart",)


def test_contests_are_tasks_with_the_same_methods() -> None:
    found = contests(leaderboards(realistic()))
    by_tasks = {tuple(board.task.label for board in c.boards): c.methods for c in found}
    assert by_tasks == {
        ("depth-train",): ("kaiming", "lsuv[batch=64]", "orthogonal", "zeros"),
        ("gauss-aniso",): ("euler", "heun", "heun[N=40]"),
        ("mnist-cnn",): ("kaiming", "orthogonal", "zeros"),
    }
    mnist = next(c for c in found if c.boards[0].task.label == "mnist-cnn")
    assert mnist.provisional == ("kaiming",)
    assert standings(table(mnist)) == [], "zeros has no seed"
    assert math.isfinite(standings(table(found[0]))[0].iqm.value)
