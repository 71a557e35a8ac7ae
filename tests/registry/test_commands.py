"""The command line over the registry: binary answers through pipes and files, and what `verify` says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from registry import Registry
from tests.registry.samples import ROOT, run, trial


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Three trials and their run."""
    filled = Registry(tmp_path_factory.mktemp("commands") / ".methodbench")
    with filled.writer("run-1") as writer:
        for record in (run([0, 1, 2]), *(trial(number) for number in range(3))):
            writer.append(record)
    filled.sync()
    return filled


def bench(registry: Registry, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "harness.cli", *map(str, arguments), "--registry", str(registry.folder.root)]
    return subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_parquet_through_a_pipe(registry: Registry) -> None:
    result = bench(registry, "query", "SELECT seed FROM trials ORDER BY seed", "--format", "parquet")
    assert result.returncode == 0, result.stderr
    assert pq.read_table(pa.BufferReader(result.stdout)).to_pylist() == [{"seed": seed} for seed in range(3)]


def test_the_ending_of_the_file_names_the_format(registry: Registry, tmp_path: Path) -> None:
    file = tmp_path / "leaders.arrow"
    result = bench(registry, "query", "SELECT method, n FROM leaderboard", "--out", file)
    assert (result.returncode, result.stdout) == (0, b""), result.stderr
    assert feather.read_table(file).to_pylist() == [{"method": "kaiming", "n": 3}]


def test_values_that_cannot_be_shown(registry: Registry) -> None:
    result = bench(registry, "query", "SELECT DATE '290309-12-22 (BC)' AS day", "--format", "json")
    assert result.returncode in (0, 2)
    assert result.stderr.count(b"\n") == (1 if result.returncode else 0)
    assert b"Traceback" not in result.stderr


def test_verify_says_what_is_wrong(registry: Registry) -> None:
    sound = bench(registry, "registry", "verify")
    assert (sound.returncode, sound.stderr) == (0, b"")
    assert b"1 segments with 4 records and 6 points; no fault(s)" in sound.stdout
    segment = next(registry.folder.lake(1).iterdir())
    good = segment.read_bytes()
    segment.write_bytes(good[:-100])
    try:
        damaged = bench(registry, "registry", "verify")
    finally:
        segment.write_bytes(good)
    assert damaged.returncode == 1
    assert damaged.stdout.decode().startswith(f"{segment}: ")
    assert damaged.stdout.count(b"\n") == 3  # the segment, the index that lacks it, the sum
