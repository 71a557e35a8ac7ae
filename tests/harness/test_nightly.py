"""A night's decisions: margins, confirmation on fresh seeds, exit codes, and what the registry keeps of them."""

from __future__ import annotations

import itertools
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from harness import nightly
from harness.gate import Gated, Series
from harness.keys import PROJECT
from registry import Registry
from reports.regressions import (
    FalseAlarms,
    Kind,
    Line,
    Night,
    equivalence_margin,
    false_alarms,
    judge,
    load_night,
    night_markdown,
    upper_bound,
)
from reports.statistics import Direction

BASE = {seed: 1.0 + 0.1 * seed for seed in range(8)}
SLOWER = Series((1.2, 1.19, 1.22, 1.18, 1.21, 1.2, 1.17, 1.23, 1.2, 1.19))


def shifted(by: float) -> dict[int, float]:
    """BASE moved by about `by`, not by the same in each seed."""
    return {seed: value + by * (1 + 0.01 * seed) for seed, value in BASE.items()}


def test_the_margin_is_half_the_interquartile_range_with_a_floor() -> None:
    low, high = np.percentile(list(BASE.values()), [25, 75])
    assert equivalence_margin(BASE.values()) == pytest.approx((high - low) / 2)
    assert equivalence_margin([3.0] * 8) == pytest.approx(0.03)
    assert equivalence_margin([0.0]) == 1e-6
    assert equivalence_margin([math.inf, 2.0, math.inf]) == pytest.approx(0.02)
    assert equivalence_margin([math.inf]) == 0


@pytest.mark.parametrize(
    ("by", "direction", "decision"),
    [
        (0.0, "min", "same numbers"),
        (0.1, "min", "changed"),
        (0.5, "min", "worse"),
        (0.5, "max", "better"),
        (-0.5, "min", "better"),
        (-0.5, "max", "worse"),
        (0.5, "none", "changed"),
    ],
)
def test_only_an_interval_beyond_the_margin_is_worse_or_better(by: float, direction: Direction, decision: str) -> None:
    judged = judge(BASE, shifted(by), direction)
    assert judged is not None
    assert judged.decision == decision


def test_seven_seeds_judge_nothing_and_an_exact_task_needs_one() -> None:
    few = judge({s: BASE[s] for s in range(7)}, {s: BASE[s] + 5 for s in range(7)}, "min")
    exact = judge({0: 1.0}, {0: 1.02}, "min", varies=False)
    within = judge({0: 1.0}, {0: 1.001}, "min", varies=False)
    assert [one and one.decision for one in (few, exact, within)] == ["changed", "worse", "changed"]
    assert judge({}, {}, "min") is None


def test_divergence_is_worse_than_any_margin() -> None:
    judged = judge(BASE, dict.fromkeys(BASE, math.inf), "min")
    assert judged is not None
    assert judged.decision == "worse"


def test_a_difference_must_show_on_fresh_seeds() -> None:
    entry = {"decision": "worse", "varies": True}
    again, none = judge(BASE, shifted(0.5), "min"), judge(BASE, shifted(0.1), "min")
    assert nightly._confirmed(entry, again)["decision"] == "regressed"
    assert nightly._confirmed(entry, none)["decision"] == "not confirmed worse"
    assert nightly._confirmed(entry, None)["decision"] == "not confirmed worse"
    assert nightly._confirmed({**entry, "varies": False}, None)["decision"] == "regressed"
    assert (
        nightly._confirmed({**entry, "decision": "better"}, judge(shifted(0.5), BASE, "min"))["decision"] == "improved"
    )


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], 12),
        ([("kernel", "equal"), ("method", "changed"), ("control", "same")], 0),
        ([("kernel", "slower"), ("kernel", "failed")], 10),
        ([("method", "regressed"), ("control", "slower")], 10),
        ([("kernel", "slower"), ("control", "faster")], 13),
        ([("kernel", "failed"), ("kernel", "too noisy")], 11),
        ([("kernel", "too noisy")], 13),
        ([("kernel", "not confirmed")], 13),
        ([("control", "too noisy")], 13),
        ([("method", "not confirmed worse"), ("kernel", "faster")], 0),
    ],
)
def test_exit_codes(lines: list[tuple[Kind, str]], code: int) -> None:
    night = Night("n", 0.0, "nightly", "b", "c", tuple(Line(kind, "x", decision) for kind, decision in lines))
    assert night.exit_code == code
    assert f"Exit status {code}: " in night_markdown(night, FalseAlarms(0, 0, 0, 1.0))


def test_the_bound_of_the_false_alarm_rate_is_clopper_pearsons() -> None:
    assert upper_bound(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300))
    for hits, n in itertools.product((0, 1, 5), (10, 300)):
        expected = binomtest(hits, n, alternative="less").proportion_ci(0.95, "exact").high
        assert upper_bound(hits, n) == pytest.approx(expected, rel=1e-9)
    assert upper_bound(0, 0) == 1


def test_a_night_is_kept_in_the_registry_and_told_as_text(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    faults = [Gated("adam", 10_000, SLOWER, SLOWER), Gated("lion", error="head: it | raised")]
    control = [Gated("adam", 10_000, Series((1.0,) * 10)), Gated("ties", 10_000, SLOWER)]
    method = {"benchmark": "gate.method", "method": "sgd", "task": "quad", "metric": "loss", "varies": True}
    judged = judge(BASE, shifted(0.5), "min")
    entries = [
        *(nightly._gated("gate.kernel", one) for one in faults),
        *(nightly._gated("gate.control", one) for one in control),
        nightly._confirmed({**method, **nightly._numbers(judged)}, judged),
    ]
    night = nightly._store(registry, entries, "nightly", "b" * 40, "c" * 40)
    assert load_night(registry) == load_night(registry, night.id) == night
    assert night.exit_code == 10
    alarms = false_alarms(registry)
    assert (alarms.controls, alarms.once, alarms.twice) == (2, 1, 0)
    page = night_markdown(night, alarms)
    assert "- kernel adam: slower, x1.200 of the time (p 0.0010), again x1.200\n" in page
    assert "- method sgd on quad (loss): regressed, difference " in page
    assert "- kernel lion: failed, head: it \\| raised\n" in page
    rows = registry.table("SELECT benchmark, status, len(samples) AS n, unit FROM benchmarks ORDER BY 1, 2").to_pylist()
    assert [(row["benchmark"], row["status"], row["n"]) for row in rows] == [
        ("gate.control", "ok", 10),
        ("gate.control", "ok", 10),
        ("gate.kernel", "error", None),
        ("gate.kernel", "ok", 10),
        ("gate.method", "ok", None),
        ("gate.night", "ok", None),
    ]


SPEC = """name: two
methods: {average: {merger: average}, ties: {merger: ties}}
tasks: [synthetic-interference]
seeds: 8
"""
#: What is told of the kernels without measuring them.
QUIET = "harness.nightly._kernels = lambda *given: []"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A repository with a copy of the project and one commit; `two.yaml` stands beside it."""
    root = tmp_path / "project"
    for room in ("harness", "specs", "kernels", "registry", "reports"):
        shutil.copytree(PROJECT / room, root / room, ignore=shutil.ignore_patterns("__pycache__"))
    (root / ".gitignore").write_text("__pycache__\n.methodbench\n*.md\n")
    (tmp_path / "two.yaml").write_text(SPEC)
    git(root, "init", "--quiet")
    commit(root, "First")
    return root


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(root: Path, message: str) -> None:
    git(root, "add", "-A")
    git(root, "commit", "--quiet", "-m", message)


def night_of(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`bench nightly` of the scratch repository, kernels left out."""
    code = f"import sys, harness.nightly; {QUIET}; from harness.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(root), "METHODBENCH_REGISTRY": str(root / ".methodbench")}
    return subprocess.run(
        [sys.executable, "-c", code, "nightly", "--suite", str(root.parent / "two.yaml"), *arguments],
        cwd=root, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.full
def test_nights_of_a_repository(scratch: Path) -> None:
    alone = night_of(scratch)
    assert alone.returncode == 2
    assert "Traceback" not in alone.stderr
    file = scratch / "harness" / "methods" / "merger" / "ties.py"
    text = file.read_text()
    assert text.count("return MergeResult(state, ") == 1
    file.write_text(
        text.replace("return MergeResult(state, ", "return MergeResult({k: v + 1 for k, v in state.items()}, ")
    )
    commit(scratch, "Spoil ties")
    spoilt = night_of(scratch)
    assert spoilt.returncode == 10, spoilt.stderr
    page = (scratch / "nightly.md").read_text()
    assert "- method ties on synthetic-interference (" in page.partition("## Improved")[0]
    assert "Same code, libraries and data: 1 methods" in page
    again = night_of(scratch)
    assert (again.returncode, again.stdout) == (12, "nothing was measured: no commit since the last night\n")
    assert git(scratch, "status", "--porcelain") == ""
    assert len(git(scratch, "worktree", "list").splitlines()) == 1
