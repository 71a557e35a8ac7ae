"""The first slower commit is found with few measurements, and never a commit is named that was not decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness import bisect
from harness.commits import CommitError
from harness.gate import Gated, Series

SLOWER = Series((1.2, 1.19, 1.22, 1.18, 1.21, 1.2, 1.17, 1.23, 1.2, 1.19))
SAME = Series((1.0, 1.01, 0.99, 1.005, 0.995, 1.02, 0.98, 1.0, 1.01, 0.99))
NOISY = Series((1.5, 0.7) * 5)


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, dict[str, Series]], list[str]]:
    """Sets up commits whose kernel sources are the letters of a text; returns the letters that were measured."""

    def make(letters: str, says: dict[str, Series]) -> list[str]:
        measured: list[str] = []

        @contextmanager
        def checkout(commit: str) -> Iterator[Path]:
            yield Path(letters[int(commit)])

        def gate(base: Path, head: Path, kernels: list[str], tell: bisect.Tell) -> tuple[list[Gated], list[Gated]]:
            measured.append(str(head))
            series = says[str(head)]
            return [Gated(kernels[0], 1, series, series)], []

        def git(command: str, *rest: str) -> str:
            return "\n".join(map(str, range(int(rest[-1]) + 1))) if command == "rev-list" else f"{rest[-1]} subject"

        monkeypatch.setattr(bisect, "checkout", checkout)
        monkeypatch.setattr(bisect, "gate", gate)
        monkeypatch.setattr(bisect, "git", git)
        monkeypatch.setattr(bisect, "full_name", lambda commit: commit)
        monkeypatch.setattr(bisect, "kernel_sources", lambda folder: {"adam": {"kernels.adam": str(folder)}})
        return measured

    return make


@pytest.mark.parametrize("step", range(1, 9))
def test_every_step_is_found(history: Callable[[str, dict[str, Series]], list[str]], step: int) -> None:
    letters = "abcdefghi"
    measured = history(letters, {letter: SLOWER if i >= step else SAME for i, letter in enumerate(letters)})
    found = bisect.run_bisect("adam", "0", "8")
    assert (found.decision, found.commit) == ("slower", str(step))
    assert found.text == f"adam became slower with {step} subject"
    assert len(measured) <= 4


def test_equal_sources_are_measured_once(history: Callable[[str, dict[str, Series]], list[str]]) -> None:
    measured = history("aaaaaabbb", {"b": SLOWER})
    assert bisect.run_bisect("adam", "0", "8").commit == "6"
    assert measured == ["b"]


@pytest.mark.parametrize(("series", "decision"), [(SAME, "same"), (NOISY, "too noisy")])
def test_without_a_slower_end_there_is_no_search(
    history: Callable[[str, dict[str, Series]], list[str]], series: Series, decision: str
) -> None:
    history("ab", {"b": series})
    found = bisect.run_bisect("adam", "0", "1")
    assert (found.decision, found.commit) == (decision, "")
    assert "no step to find" in found.text


def test_noise_ends_the_search_with_the_range_that_is_left(
    history: Callable[[str, dict[str, Series]], list[str]],
) -> None:
    history("abc", {"b": NOISY, "c": SLOWER})
    found = bisect.run_bisect("adam", "0", "2")
    assert (found.decision, found.text) == ("too noisy", "adam became slower after 0 and not after 2; 1: too noisy")


def test_commits_in_the_wrong_order_are_told(history: Callable[[str, dict[str, Series]], list[str]]) -> None:
    history("ab", {})
    with pytest.raises(CommitError, match="1 is no earlier commit than 0"):
        bisect.run_bisect("adam", "1", "0")
