"""Several tasks at once: what is shown follows from tasks, seeds and entrants, and what is left out is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports import overall as module
from reports.leaderboard import leaderboards, render
from reports.model import Metric, Results, Task, Trial
from reports.overall import Overall, overall, pairs_sheet, stability_sheet, standings_sheet
from reports.sheet import Sheet
from reports.site.overall import overall_parts
from tests.reports.example import results, trials

METHODS = ("a", "b", "c")


def many(tasks: int, seeds: int, methods: tuple[str, ...] = METHODS) -> Results:
    """On every task the first method is best and slowest, the last one worst and fastest."""
    labels = [Task(f"t{n}", "A task", (Metric("accuracy", "max"),), ("init",)) for n in range(tasks)]
    entries: list[Trial] = []
    for n, task in enumerate(labels):
        for place, method in enumerate(methods):
            values = [0.9 - 0.1 * place + 0.001 * ((seed + n) % 5) for seed in range(seeds)]
            spent = [replace(t, seconds=10.0 - place + 0.01 * t.seed) for t in trials(method, task, values)]
            entries += spent
    return results(labels, entries)


def only(tasks: int, seeds: int, methods: tuple[str, ...] = METHODS) -> Overall:
    (found,) = overall(leaderboards(many(tasks, seeds, methods)))
    return found


def cells(sheet: Sheet) -> dict[str, tuple[str, ...]]:
    return {column.heading: column.cells for group in sheet.groups for column in group}


def test_one_task_has_nothing_over_tasks() -> None:
    assert overall(leaderboards(many(1, 6))) == []


def test_a_clear_order_has_the_ranks_and_fronts_that_one_counts_by_hand() -> None:
    shown = cells(standings_sheet(only(3, 6)))
    assert shown["method"] == METHODS
    assert [text.split()[0] for text in shown["mean rank"]] == ["1.00", "2.00", "3.00"]
    assert shown["front, wall time"] == ("3/3", "3/3", "3/3")
    assert [text.count("[") for text in shown["interquartile mean"]] == [1, 1, 1]
    assert "profile score B" not in shown, "no task has a target"


def test_too_few_seeds_have_no_interval_and_the_table_says_so() -> None:
    sheet = standings_sheet(only(3, 5))
    assert "[" not in "".join(cells(sheet)["interquartile mean"])
    assert "n = 5 seeds are too few for 95 %, an interval takes 6" in sheet.notes


def test_more_trials_than_are_resampled_have_no_interval_and_the_table_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 53)
    sheet = standings_sheet(only(3, 6))
    assert "[" not in "".join(cells(sheet)["mean rank"])
    assert "no intervals: they are computed for up to 53 trials" in sheet.notes


def test_a_critical_difference_stands_from_ten_tasks_on() -> None:
    assert only(9, 2).critical is None
    ten = only(10, 2)
    assert "not separated (Nemenyi's critical difference, 10 tasks" in " ".join(standings_sheet(ten).notes)
    (_, _, charts), *_ = overall_parts(ten)
    (chart,) = charts
    assert chart.kind == "ranks"
    assert [v["rank"] for v in chart.values if v["is"] == "method"] == [1, 2, 3]
    assert [(v["rank"], v["to"]) for v in chart.values if v["is"] == "bar"] == [(1, 2), (2, 3)], "1.05 apart at k = 3"


def test_pairs_are_told_where_the_tasks_allow_a_small_p_and_else_why_not() -> None:
    assert pairs_sheet(only(5, 2)) is None
    assert "pairs are not tested: 5 tasks allow no Holm's p below 0.188" in standings_sheet(only(5, 2)).notes
    sheet = pairs_sheet(only(8, 2))
    assert sheet is not None
    assert cells(sheet)["Holm's p"] == ("0.0234",) * 3, "3 pairs times 2^-7"


def test_stability_names_what_changes_the_order() -> None:
    stable = stability_sheet(only(4, 2))
    assert stable is not None
    assert cells(stable)["left out"] == ()
    assert stable.lines[1] == "it changes without one of: 0 of 4 tasks · 0 of 3 methods"


def test_a_crowd_has_standings_but_neither_pairs_nor_stability() -> None:
    crowd = only(2, 1, tuple(f"m{n:02}" for n in range(module.CROWD + 1)))
    assert [name for name, _, _ in overall_parts(crowd)] == ["standings"]


def test_terminal_and_json_end_with_what_holds_over_tasks() -> None:
    boards = leaderboards(many(3, 6))
    assert "3 methods over 3 tasks" in render(boards, "terminal", 120)
    assert '"mean_rank"' in render(boards, "json")


def test_each_row_has_holms_p_and_each_table_the_smallest_that_its_seeds_allow() -> None:
    text = render(leaderboards(many(1, 6)), "terminal", 140)
    assert "Holm's p" in text
    assert "smallest Holm's p that n = 6 and 2 tested rows allow: 0.0625" in text
    few = render(leaderboards(many(1, 5)), "terminal", 140)
    assert "too few" in few
    assert "smallest Holm's p that n = 5 and 2 tested rows allow: 0.125" in few
    assert "smallest_holm_p" in render(leaderboards(many(1, 6)), "csv").splitlines()[0]
