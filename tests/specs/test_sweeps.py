"""Sweeps stand for their points: ends exact, short decimals, labels that say what differs, every point checked."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.nodes import short
from specs.sweeps import log_points
from tests.specs.conftest import Faults, Loader


def with_methods(*lines: str, tasks: str = "[depth-train]", seeds: str = "1") -> str:
    """A spec with the given methods."""
    return "name: a\nmethods:\n" + "".join(f"  {line}\n" for line in lines) + f"tasks: {tasks}\nseeds: {seeds}\n"


def labels(spec: Loader, *lines: str) -> list[str]:
    """Labels of the methods that `lines` expand to."""
    return [method.label for method in spec(with_methods(*lines)).methods]


@pytest.mark.parametrize(
    ("low", "high", "n", "points"),
    [
        (1e-4, 1e-1, 4, [1e-4, 1e-3, 1e-2, 1e-1]),
        (1e-4, 1e-1, 2, [1e-4, 1e-1]),
        (1e-4, 1e-1, 5, [1e-4, 0.0005623, 0.003162, 0.01778, 1e-1]),
        (1, 1000, 4, [1, 10, 100, 1000]),
        (0.123456789, 0.3, 2, [0.123456789, 0.3]),
        (1.0, 1.001, 3, [1.0, 1.0005, 1.001]),
    ],
)
def test_log_points(low: float, high: float, n: int, points: list[float]) -> None:
    assert log_points(low, high, n) == points


@given(st.floats(1e-300, 1e300), st.floats(1.0001, 1e6), st.integers(2, 60))
def test_log_points_are_ordered_exact_at_the_ends_and_evenly_spaced(low: float, ratio: float, n: int) -> None:
    high = low * ratio
    points = log_points(low, high, n)
    assert (len(points), points[0], points[-1]) == (n, low, high)
    assert all(a < b for a, b in itertools.pairwise(points))
    step = math.log(ratio) / (n - 1)
    assert all(abs(math.log(b / a) - step) < 0.02 * step + 1e-12 for a, b in itertools.pairwise(points))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.001, "0.001"), (1e-5, "1e-5"), (5.0, "5"), (5, "5"), (1e22, "1e22"), (True, "true"), (None, "null"),
     ("fan_in", "fan_in"), ([0.9, 0.99], "[0.9,0.99]"), (-0.5, "-0.5"), (1.5e-7, "1.5e-7")],
)  # fmt: skip
def test_labels_of_values(value: Any, text: str) -> None:
    assert short(value) == text


def test_points_and_their_labels(spec: Loader) -> None:
    assert labels(spec, "a: {optimizer: {name: adamw, lr: {log: [1e-4, 1e-2], n: 3}}}") == [
        "a[lr=0.0001]",
        "a[lr=0.001]",
        "a[lr=0.01]",
    ]
    assert labels(spec, "a: {init: {name: kaiming, mode: {grid: [fan_in, fan_out]}, gain: {grid: [null, 2]}}}") == [
        "a[mode=fan_in,gain=null]",
        "a[mode=fan_in,gain=2]",
        "a[mode=fan_out,gain=null]",
        "a[mode=fan_out,gain=2]",
    ]
    assert labels(spec, "a: {optimizer: {name: adamw, betas: {grid: [[0.9, 0.99], [0, 0.5]]}}}") == [
        "a[betas=[0.9,0.99]]",
        "a[betas=[0,0.5]]",
    ]


def test_sweeps_in_two_slots_are_combined_and_told_apart(spec: Loader) -> None:
    line = "a: {init: {name: orthogonal, gain: {grid: [1, 2]}}, optimizer: {name: adamw, lr: {grid: [0.1, 0.2]}}}"
    assert labels(spec, line) == ["a[gain=1,lr=0.1]", "a[gain=1,lr=0.2]", "a[gain=2,lr=0.1]", "a[gain=2,lr=0.2]"]
    line = "a: {sampler: {name: heun, corrector: {name: heun, grid: {grid: [edm, cosine]}}}}"
    assert labels(spec, line) == ["a[corrector.grid=edm]", "a[corrector.grid=cosine]"]


def test_a_name_shared_by_two_slots_shows_the_slot(spec: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "a: {init: {name: kaiming, gain: {grid: [1]}}, optimizer: {name: ema, base: adamw, decay: {grid: [0]}}}"
    assert labels(spec, line) == ["a[gain=1,decay=0]"]
    from tests.specs.catalogue import CATALOGUE

    sgd = dict(CATALOGUE["components"]["optimizer"]["sgd"])
    sgd["params"] = [{**sgd["params"][0], "name": "gain"}]
    monkeypatch.setitem(CATALOGUE["components"]["optimizer"], "sgd", sgd)
    line = "a: {init: {name: kaiming, gain: {grid: [1, 3]}}, optimizer: {name: sgd, gain: {grid: [2]}}}"
    assert labels(spec, line) == ["a[init.gain=1,optimizer.gain=2]", "a[init.gain=3,optimizer.gain=2]"]


def test_sweeps_inside_a_wrapper_and_over_bases(spec: Loader) -> None:
    line = "a: {optimizer: {name: ema, base: {name: sgd, lr: {grid: [0.1, 0.2]}}, decay: {grid: [0.5]}}}"
    assert labels(spec, line) == ["a[base.lr=0.1,decay=0.5]", "a[base.lr=0.2,decay=0.5]"]
    line = "a: {optimizer: {name: ema, base: {grid: [adamw, {name: sgd, lr: 0.1}, {name: sgd, lr: {grid: [1, 2]}}]}}}"
    read = spec(with_methods(line))
    assert [method.label for method in read.methods] == [
        "a[base=adamw]",
        "a[base=sgd(lr=0.1)]",
        "a[base=sgd,base.lr=1]",
        "a[base=sgd,base.lr=2]",
    ]
    assert [m.slots["optimizer"].params["base"]["params"]["lr"] for m in read.methods] == [0.001, 0.1, 1.0, 2.0]


def test_whole_numbers_stay_whole(spec: Loader) -> None:
    read = spec(with_methods("a: {init: kaiming}", tasks="[{name: depth-train, depth: {log: [1, 100], n: 4}}]"))
    assert [task.params["depth"] for task in read.tasks] == [1, 5, 22, 100]
    assert [task.label for task in read.tasks] == [f"depth-train[depth={d}]" for d in (1, 5, 22, 100)]


#: "»" stands before each token that an error must point at.
FAULTS = [
    ("lr: {grid: [0.1, »0, »slow]}", [("lr.grid[1]", "0", "a number > 0"), ("lr.grid[2]", '"slow"', "a number > 0")]),
    ("lr: {log: [1e-4, 0.1], n: 3}, eps: {log: [»-1, 1], n: 2}", [("eps.log[0]", "-1", "a positive number")]),
    ("lr: {log: [0.1, »0.1], n: 3}", [("lr.log[1]", "0.1", "a number greater than 0.1")]),
    ("lr: {log: [0.1, ».inf], n: 3}", [("lr.log[1]", ".inf", "a positive number")]),
    ("lr: {log: »[0.1], n: 3}", [("lr.log", "a list of 1", "two positive numbers, [low, high]")]),
    ("lr: {log: [0.1, 1], n: »1}", [("lr.n", "1", "an integer >= 2 and <= 100000")]),
    ("lr: {log: [0.1, 1], n: »true}", [("lr.n", "true", "an integer >= 2 and <= 100000")]),
    ("lr: »{log: [0.1, 1]}", [("lr", "", 'required field "n" (an integer >= 2)')]),
    ("lr: {grid: »[]}", [("lr.grid", "an empty list", "a list of values")]),
    ("lr: {grid: »3}", [("lr.grid", "3", "a list of values")]),
    ("lr: {grid: [1], »log: [1, 2]}", [("lr", "grid and log in one sweep", "one of the two")]),
    ("lr: {grid: [1], »n: 3}", [("lr.n", 'unknown field "n"', "grid")]),
    ("lr: {log: [1, 2], »m: 3, n: 2}", [("lr.m", 'unknown field "m"', "one of log, n")]),
    ("lr: {log: [1, 2], »nn: 3}", [("lr.nn", 'unknown field "nn"', "one of log, n")]),
    ("lr: {»gird: [1]}", [("lr.gird", 'unknown field "gird"', "grid or log")]),
    ("lr: »{}", [("lr", "an empty map", "a number > 0, or a sweep with grid or log")]),
    ("lr: {grid: [0.1, »0.10, 0.2]}", [("lr.grid[1]", "0.1 a second time", "distinct values in a sweep")]),
    ("betas: {»log: [0.1, 0.2], n: 2}", [("betas", "a log sweep", "a grid, since the parameter is not a number")]),
    ("betas: {grid: [[0.1, »1]]}", [("betas.grid[0][1]", "1", "a number >= 0 and < 1")]),
]


@pytest.mark.parametrize(("params", "expected"), FAULTS, ids=[text for text, _ in FAULTS])
def test_faults_point_at_their_token(faults: Faults, params: str, expected: list[tuple[str, str, str]]) -> None:
    marked = f"  a: {{optimizer: {{name: adamw, {params}}}}}"
    columns = [match.start() - i + 1 for i, match in enumerate(re.finditer("»", marked))]
    errors = faults(with_methods(marked.strip().replace("»", "")))
    assert [(e.field.removeprefix("methods.a.optimizer."), e.found, e.expected) for e in errors] == expected
    assert [(e.line, e.column) for e in errors] == [(3, column) for column in columns]


def test_too_many_points_are_refused_before_they_exist(faults: Faults) -> None:
    grid = f"{{grid: [{', '.join(map(str, range(1, 101)))}]}}"
    params = ", ".join(f"{name}: {grid}" for name in ("lr", "eps", "weight_decay", "betas"))
    (error,) = faults(with_methods(f"a: {{optimizer: {{name: adamw, {params}}}}}"))
    assert (error.line, error.column, error.field) == (2, 1, "methods")
    assert error.found == "100,000,000 trials (100,000,000 methods x 1 tasks x 1 seeds)"
    assert error.expected == "at most 100,000 in one spec"
    (error,) = faults(with_methods("a: {init: {name: orthogonal, gain: {log: [1, 2], n: 101}}}", seeds="1000"))
    assert (error.line, error.field) == (5, "seeds")
    (error,) = faults(with_methods("a: {init: kaiming}", seeds="99999999999999"))
    assert error.found.startswith("a thousand million trials or more")
    nested = "{" + ", ".join(f"p{i}: {{grid: [1, 2]}}" for i in range(20_000)) + "}"
    (error,) = faults(with_methods(f"a: {{optimizer: {nested}}}"))
    assert error.field == "methods"


def test_exactly_as_many_trials_as_allowed(spec: Loader) -> None:
    read = spec(with_methods("a: {init: kaiming}", seeds="100000"))
    assert len(read.seeds) == 100_000
