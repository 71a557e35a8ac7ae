"""Compaction loses nothing and doubles nothing, wherever it is killed and whatever is copied back."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from registry import Registry, RegistryBusy, RegistryError
from registry.lock import sealing
from registry.tombstones import Selection
from tests.registry.kills import each_instant
from tests.registry.samples import benchmark, digest, finish, run, start, trial
from tests.registry.test_ingest import dump, segments, values

COMPACT = """
import sys
from pathlib import Path
import pyarrow.parquet, duckdb
from registry import Registry, rows
rows.MAX_RECORDS = 7
registry = Registry(Path(sys.argv[1]))
print("ready", flush=True)
registry.compact()
"""


def fill(registry: Registry, first: int, count: int) -> None:
    """A segment for each trial."""
    for number in range(first, first + count):
        with registry.writer("run-1") as writer:
            writer.append(trial(number))
            writer.append(run([number], name=f"run-{number}"))
        registry.sync()


def in_lake(registry: Registry) -> list[str]:
    """Record hashes of every row of every segment, read without the index."""
    return [name for path in segments(registry) for name in pq.read_table(path, columns=["record"])[0].to_pylist()]


def test_many_segments_become_few_and_no_answer_changes(registry: Registry) -> None:
    fill(registry, 0, 6)
    before, records = dump(registry), sorted(in_lake(registry))
    whole = registry.record(digest("trial 3"))
    done = registry.compact()
    assert (done.before, done.after, done.left) == (6, 1, 0)
    assert len(segments(registry)) == registry.info()["segments"] == 1
    assert sorted(in_lake(registry)) == records
    assert (dump(registry), registry.record(digest("trial 3"))) == (before, whole)
    registry.rebuild()
    assert (dump(registry), registry.record(digest("trial 3"))) == (before, whole)
    (path,) = segments(registry)
    rows = pq.read_table(path, columns=["kind", "started", "record"]).to_pylist()
    assert rows == sorted(rows, key=lambda row: tuple(row.values()))
    assert registry.compact().before == registry.compact().after == 1
    assert segments(registry) == [path]


def test_dropped_records_leave_and_tombstones_stay(registry: Registry, store: Callable[..., Registry]) -> None:
    fill(registry, 0, 4)
    store(benchmark("time_adam", 1.0))
    registry.drop(registry.select(Selection(trials=[digest("trial 1")])), "wrong", "3c" * 8)
    before = dump(registry)
    originals = {path.name: path.read_bytes() for path in segments(registry)}
    assert registry.compact().left == 1
    kinds = pq.read_table(segments(registry)[0], columns=["kind", "trial"]).to_pylist()
    assert sorted(row["kind"] for row in kinds) == ["benchmark", *["run"] * 4, "tombstone", *["trial"] * 3]
    assert dump(registry) == before
    for name, data in originals.items():  # they come back from another machine
        (registry.folder.lake(1) / name).write_bytes(data)
    assert registry.sync().ingested == 0
    assert dump(registry) == before
    registry.rebuild()
    assert dump(registry) == before
    assert registry.compact().left == 1
    assert (len(segments(registry)), len(in_lake(registry))) == (1, 9)


def test_sizes_are_kept_and_full_segments_are_left_alone(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    for room in ("rows", "compact"):
        monkeypatch.setattr(f"registry.{room}.MAX_RECORDS", 8)
    fill(registry, 0, 5)
    registry.compact()
    large, small = sorted(segments(registry), key=lambda path: -pq.read_metadata(path).num_rows)
    assert [pq.read_metadata(path).num_rows for path in (large, small)] == [8, 2]
    written = large.stat().st_mtime_ns
    fill(registry, 5, 1)
    registry.compact()
    assert large.stat().st_mtime_ns == written
    assert not small.exists()
    assert sorted(pq.read_metadata(path).num_rows for path in segments(registry)) == [4, 8]


@pytest.mark.parametrize(("limit", "value"), [("MAX_POINTS", 7), ("MAX_BYTES", 3_000)])
def test_a_segment_is_cut_by_points_and_bytes(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    fill(registry, 0, 6)
    before = sorted(in_lake(registry))
    monkeypatch.setattr(f"registry.rows.{limit}", value)
    registry.compact()
    assert 1 < len(segments(registry)) < 6
    assert sorted(in_lake(registry)) == before


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.full)])
def test_a_kill_at_any_instant_loses_and_doubles_nothing(registry: Registry, tmp_path: Path, every: int) -> None:
    fill(registry, 0, 4)
    registry.drop(registry.select(Selection(trials=[digest("trial 1")])), "wrong", "3c" * 8)
    before = dump(registry)
    expected = {*in_lake(registry)} - {name for (name,) in values(registry, "SELECT record FROM dropped")}
    copies: list[Registry] = []

    def fresh(number: int) -> tuple[object, ...]:
        copies.append(Registry(tmp_path / str(number)))
        shutil.copytree(registry.folder.root, copies[-1].folder.root)
        return (copies[-1].folder.root,)

    for _ in each_instant(COMPACT, "segments", fresh, every):
        killed = copies[-1]
        assert set(in_lake(killed)) >= expected
        killed.sync()
        assert dump(killed) == before
        killed.compact()
        assert set(in_lake(killed)) == expected
        assert len(in_lake(killed)) == len(expected)
        assert not [path.name for path in killed.folder.lake(1).iterdir() if path.name.startswith(".")]
        assert dump(killed) == before
        assert killed.info()["quarantine"] == []
    assert len(copies) > 8 / every


def test_a_kill_at_any_time_loses_and_doubles_nothing(registry: Registry) -> None:
    generator = random.Random(1)
    expected: set[str] = set()
    for kill in range(3):
        fill(registry, 10 * kill, 4)
        expected |= set(in_lake(registry))
        child = start(COMPACT, registry.folder.root)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(generator.uniform(0, 0.25))
        child.kill()
        child.communicate()
        assert set(in_lake(registry)) == expected
        registry.sync()
        assert registry.info()["records"] == len(expected)
        assert values(registry, "SELECT count(*), count(DISTINCT trial) FROM trials") == [(4 * kill + 4,) * 2]


def test_two_lakes_compacted_differently_meet(registry: Registry, tmp_path: Path) -> None:
    fill(registry, 0, 4)
    other = Registry(tmp_path / "other")
    shutil.copytree(registry.folder.root, other.folder.root)
    fill(other, 4, 2)
    other.compact()
    registry.compact()
    for path in segments(other):
        shutil.copy(path, registry.folder.lake(1))
    registry.sync()
    assert dump(registry) == dump(other)
    registry.compact()
    assert len(in_lake(registry)) == len(set(in_lake(registry))) == 12
    assert dump(registry) == dump(other)


@pytest.mark.parametrize("column", ["record", "identity"])
def test_a_damaged_segment_is_left_alone(registry: Registry, column: str) -> None:
    fill(registry, 0, 3)
    path = segments(registry)[0]
    group = pq.read_metadata(path).row_group(0)
    chunks = [group.column(number) for number in range(group.num_columns)]
    chunk = next(chunk for chunk in chunks if chunk.path_in_schema == column)
    data = bytearray(path.read_bytes())
    data[_start(chunk) + chunk.total_compressed_size - 2] ^= 0xFF
    path.write_bytes(data)
    done = registry.compact()
    assert done.unreadable == [path.name]
    assert len(segments(registry)) == 2
    assert path.exists()
    assert registry.info()["trials"] == 3


def _start(chunk: Any) -> int:
    return int(chunk.dictionary_page_offset or chunk.data_page_offset)


def test_a_full_disk_changes_nothing(registry: Registry) -> None:
    fill(registry, 0, 3)
    code = """
        import resource, sys
        from pathlib import Path
        from registry import Registry, RegistryError
        registry = Registry(Path(sys.argv[1]))
        registry.sync()
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
        try:
            registry.compact()
        except RegistryError as error:
            print(error)
    """
    before = segments(registry)
    assert "cannot write segments: File too large; free space and run again" in finish(
        start(code, registry.folder.root)
    )
    assert segments(registry) == before
    assert registry.compact().after == 1


def test_one_process_compacts_at_a_time(registry: Registry) -> None:
    fill(registry, 0, 2)
    busy = Registry(registry.folder.root, timeout=0.1)
    with sealing(registry.folder, 1.0), pytest.raises((RegistryBusy, RegistryError), match="another process seals"):
        busy.compact()
    assert len(segments(registry)) == 2
