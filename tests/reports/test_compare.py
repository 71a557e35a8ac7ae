"""Two methods side by side: the same tasks, the same seeds, words that the numbers bear out."""

from __future__ import annotations

import json
import re

import pytest

from reports.compare import NoComparison, compare, render_comparison
from tests.reports.example import DEPTH, GAUSS, MNIST, realistic, results, trial, trials

SIX = [0.90, 0.91, 0.92, 0.93, 0.94, 0.95]


def test_one_line_per_common_task_and_metric() -> None:
    found = compare(realistic(), "orthogonal", "kaiming")
    assert [(line.task.label, line.metric.name) for line in found.lines] == [
        ("depth-train", "val_accuracy"),
        ("depth-train", "train_loss"),
        ("mnist-cnn", "val_accuracy"),
    ]
    assert [line.task.label for line in found.ranking] == ["depth-train", "mnist-cnn"]


def test_the_word_is_about_the_first_method() -> None:
    loss = {"train_loss": 1.0}
    entries = [trial("a", DEPTH, s, values={"val_accuracy": v, "train_loss": 2.0}) for s, v in enumerate(SIX)]
    entries += [trial("b", DEPTH, s, values={"val_accuracy": v - 0.05, **loss}) for s, v in enumerate(SIX)]
    found = compare(results((DEPTH,), entries), "a", "b").lines
    assert [line.verdict for line in found] == ["better", "worse"]
    assert found[0].difference.estimate == pytest.approx(0.05)
    assert found[1].ratio is not None
    assert found[1].ratio.estimate == pytest.approx(2.0)
    assert (found[0].difference.p, found[0].difference.smallest_p) == (2 / 64, 2 / 64)


def test_too_few_seeds_are_told_and_failed_seeds_give_no_pair() -> None:
    entries = [*trials("a", MNIST, SIX), *trials("b", MNIST, [0.5] * 5), trial("b", MNIST, 5, status="error")]
    (line,) = compare(results((MNIST,), entries), "a", "b").lines
    assert (line.verdict, line.difference.n, line.difference.kind) == ("too few", 5, "range")


def test_an_exact_task_is_compared_without_test() -> None:
    entries = [trial("heun", GAUSS, 0, 0.17), trial("euler", GAUSS, 0, 0.34)]
    (line,) = compare(results((GAUSS,), entries), "heun", "euler").lines
    assert (line.verdict, line.difference.p) == ("better", None)
    assert line.ratio is not None
    assert line.ratio.estimate == pytest.approx(0.5)


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(NoComparison, match=r'no method "kaimin" .* did you mean "kaiming"'):
        compare(realistic(), "orthogonal", "kaimin")
    with pytest.raises(NoComparison, match="name two methods"):
        compare(realistic(), "kaiming", "kaiming")
    with pytest.raises(NoComparison, match='no task has both "kaiming" and "heun"'):
        compare(realistic(), "kaiming", "heun")


def test_it_is_shown_with_its_p_and_the_smallest_p() -> None:
    found = compare(realistic(), "orthogonal", "kaiming")
    text = render_comparison(found, "terminal", 160)
    assert "+0.0100 [-0.0001, 0.0158]" in text
    assert "orthogonal is" in text
    assert "0.0625" in text
    assert "0.0312" in text
    assert "nan" not in text.replace("kaiming", "")
    assert "| depth-train | val_accuracy |" in render_comparison(found, "md")
    assert json.loads(render_comparison(found, "json"))["comparison"]["a"] == "orthogonal"


def test_labels_in_headings_are_escaped_too() -> None:
    a, b = "a|<b>", "x\x1b[31m"
    found = compare(results((MNIST,), [*trials(a, MNIST, SIX), *trials(b, MNIST, SIX)]), a, b)
    table = [line for line in render_comparison(found, "md").splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert "<b>" not in "".join(table)
    for width in (60, 160):
        text = render_comparison(found, "terminal", width)
        assert "\x1b" not in text
        assert max(map(len, text.splitlines())) <= width
    assert found.lines[0].verdict == "equal"
