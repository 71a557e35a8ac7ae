"""What a leaderboard and a verdict say of tuning: parameters chosen, ends that leave a doubt, unequal sides."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports.claims import verdicts
from reports.leaderboard import leaderboards, render
from reports.model import Claim, Results, Run
from reports.results import load_results
from reports.tuning import Tuned, read_tuned
from tests.reports.example import MNIST, run, trials
from tests.reports.test_reading_results import line, run_record, stored, trial_record

EIGHT = [0.90, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97]
FOUND = Tuned({"lr": 0.0125, "nesterov": True}, "val_accuracy", 0.9712, 8, 2, ())
ENTRY: dict[str, Any] = {
    "method": "a", "task": "depth", "values": {"lr": 0.3}, "score": 0.5, "points": 8, "seeds": 3, "edges": [],
}  # fmt: skip
RANKED: dict[str, Any] = {"trials": 8, "metric": "val_loss", "phase": "ranked", "tuned": [ENTRY]}


def tuned_run(a: Tuned | None, b: Tuned | None) -> Run:
    """Method a is ahead of b in each of eight seeds, and a claim says so."""
    entries = trials("a", MNIST, EIGHT) + trials("b", MNIST, [value - 0.1 for value in EIGHT])
    claim = Claim("ahead", "a is ahead", "nobody", "", 8, "val_accuracy", "mnist-cnn", "a", "b", 0.05, False)
    tuned = {("a", "mnist-cnn"): a, ("b", "mnist-cnn"): b}
    return replace(run((MNIST,), entries), claims=(claim,), tuned=tuned)


def test_a_row_says_how_its_parameters_were_chosen() -> None:
    (board,) = leaderboards(Results((tuned_run(FOUND, None),)))
    first, second = board.rows
    words = "tuned: lr=0.0125 and nesterov=true, best val_accuracy (0.971) of 8 points on 2 study seeds"
    assert (first.remarks, first.provisional) == ((words,), ())
    assert second.remarks == ("untuned: it ran with the parameters that the spec gives",)
    assert replace(FOUND, seeds=0).words().endswith("of 8 points (exact)")
    assert (
        replace(FOUND, score=None, seeds=1)
        .words()
        .startswith("tuned in vain: no val_accuracy of 8 points on 1 study seed,")
    )


def test_an_edge_makes_a_row_provisional_and_leaves_it_its_place() -> None:
    edge = "lr=0.5 is the largest of 8 values tried"
    (board,) = leaderboards(Results((tuned_run(FOUND, replace(FOUND, edges=(edge,))),)))
    assert [(row.method, row.rank, row.provisional) for row in board.rows] == [("a", 1, ()), ("b", 2, (edge,))]
    for form in ("terminal", "md"):
        assert f"b is provisional: {edge}" in render([board], form, 200)


@pytest.mark.parametrize(
    ("a", "b", "doubts"),
    [
        (FOUND, FOUND, ()),
        (None, None, ()),
        (FOUND, None, ("b was not tuned, the other side was",)),
        (FOUND, replace(FOUND, edges=("lr=2 is the largest",)), ("b: lr=2 is the largest",)),
    ],
)
def test_a_verdict_is_provisional_after_unequal_tuning(
    a: Tuned | None, b: Tuned | None, doubts: tuple[str, ...]
) -> None:
    (verdict,) = verdicts(Results((tuned_run(a, b),)))
    assert (verdict.word, verdict.provisional) == ("supported", doubts)


def test_tuning_is_read_from_the_run_whose_plan_counts(tmp_path: Path) -> None:
    plan = [line("a"), line("b")]
    answers = [trial_record(entry, "r1", 2.0, [0.5]) for entry in plan]
    study = run_record("r0", 1.0, [line("a[lr=0.3]")], spec="demo:study", tuning={"phase": "study"})
    later = run_record("r2", 3.0, [line("b")], tuning={**RANKED, "tuned": []})
    registry = stored(tmp_path, [study, run_record("r1", 2.0, plan, tuning=RANKED), later, *answers])
    (found,) = load_results(registry).runs
    assert found.spec == "demo", "a study is shown only by its name"
    assert found.tuned == {("a", "depth"): Tuned({"lr": 0.3}, "val_loss", 0.5, 8, 3, ()), ("b", "depth"): None}
    assert [study.spec for study in load_results(registry, ["demo:study"]).runs] == ["demo:study"]


@pytest.mark.parametrize(
    "said",
    [
        None,
        {"phase": "study"},
        {"trials": 8},
        [1],
        {**RANKED, "tuned": 3},
        {**RANKED, "tuned": [{**ENTRY, "points": "x"}]},
        {**RANKED, "tuned": [{"method": "a"}]},
    ],
)
def test_what_no_run_could_have_written_is_no_tuning(said: Any) -> None:
    assert read_tuned(json.dumps(said)) is None
    assert read_tuned(None) is None
