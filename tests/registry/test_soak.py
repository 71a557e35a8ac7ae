"""Killed runs and crowds of processes: small editions of the figures registry_soak and registry_crowd."""

from __future__ import annotations

from pathlib import Path

from tests.figures.registry_crowd import crowd
from tests.figures.registry_soak import soak


def test_killed_runs_lose_double_and_halve_nothing(tmp_path: Path) -> None:
    found = soak(tmp_path, kills=9)
    assert found["kills"] == 9
    assert found["acknowledged"] > 100
    assert (found["lost"], found["doubled"], found["half_written"]) == (0, 0, 0)
    assert found["equal_to_undisturbed"]


def test_a_crowd_loses_nothing_and_every_read_succeeds(tmp_path: Path) -> None:
    found = crowd(tmp_path, writers=6, readers=3, rounds=2, trials=5)
    assert (found["lost"], found["doubled"], found["faults"], found["failed_reads"]) == (0, 0, 0, 0)
    assert found["reads"] > 0
