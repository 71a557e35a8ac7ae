"""`verify` finds what is wrong with what is stored, says it in one line each, and changes nothing."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry import Registry
from registry.migrate import migrations
from tests.registry.samples import benchmark, digest, point, run, trial


@pytest.fixture
def filled(registry: Registry, store: Callable[..., Registry]) -> Registry:
    """Two segments, taken in, and a log of a writer that is gone."""
    store(trial(0), trial(1, reason="naïve", extra={"a": [1, None]}), run([0, 1]), benchmark("adam", 0.5))
    store(trial(2, points=[point("loss", 0, math.nan), {"metric": "x", "step": 1, "value": math.inf}]), trial(0))
    with registry.writer("run-2") as writer:
        writer.append(trial(3))
    return registry


def contents(registry: Registry) -> dict[str, str]:
    files = [path for path in registry.folder.root.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def faults(registry: Registry) -> list[str]:
    before = contents(registry)
    found = registry.verify().faults
    assert contents(registry) == before
    assert all("\n" not in fault for fault in found)
    return found


def segment(registry: Registry) -> Path:
    return next(path for path in registry.folder.lake(1).iterdir() if pq.read_metadata(path).num_rows == 4)


def rewrite(path: Path, table: pa.Table, **changes: object) -> None:
    manifest = json.loads(table.schema.metadata[b"methodbench"]) | changes
    pq.write_table(table.replace_schema_metadata({"methodbench": json.dumps(manifest)}), path)


def test_a_sound_registry(filled: Registry) -> None:
    assert faults(filled) == []
    done = filled.verify()
    assert (done.logs, done.frames, done.segments, done.records) == (1, 1, 2, 6)
    filled.rebuild()
    (filled.folder.root / "index").rename(filled.folder.root / "away")
    assert faults(filled) == []  # the next command makes a missing index


def test_what_waits_is_no_fault(filled: Registry, store: Callable[..., Registry]) -> None:
    with filled.writer("run-3") as writer:
        writer.append(trial(5))
        with writer._open_file().path.open("ab") as file:
            file.write(b"\xf5MB1 half a fra")  # as a reader meets it in the middle of a write
        assert faults(filled) == []
    assert len(faults(filled)) == 1


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(lambda data: data[:-3], "torn"), (lambda data: data[:40] + b"?" + data[41:], "checksum differs")],
)
def test_a_damaged_log(filled: Registry, damage: Callable[[bytes], bytes], reason: str) -> None:
    log = next(filled.folder.logs.iterdir())
    log.write_bytes(damage(log.read_bytes()))
    (fault,) = faults(filled)
    assert fault.startswith(f"{log}: byte 0: ")
    assert reason in fault


def test_no_flipped_byte_changes_a_record_unnoticed(filled: Registry) -> None:
    path = segment(filled)
    good, rows = path.read_bytes(), pq.read_table(path).to_pylist()
    found = 0
    for place in range(5, len(good), len(good) // 12):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x20]) + good[place + 1 :])
        if filled.verify().faults:
            found += 1
        else:  # a byte of the footer that says nothing of the rows
            assert pq.read_table(path).to_pylist() == rows
    assert found >= 3
    path.write_bytes(good)
    assert faults(filled) == []


def test_a_changed_value_has_another_hash(filled: Registry) -> None:
    path = segment(filled)
    table = pq.read_table(path)
    place = table.column_names.index("seconds")
    rewrite(path, table.set_column(place, "seconds", pa.array([9.0] * len(table))))
    assert any("has the hash" in fault for fault in faults(filled))


@pytest.mark.parametrize("changes", [{"points": 77}, {"digest": "0" * 32}, {"records": 5}])
def test_a_manifest_that_lies(filled: Registry, changes: dict[str, object]) -> None:
    path = segment(filled)
    rewrite(path, pq.read_table(path), **changes)
    (name,) = changes
    assert any(f"{name} is " in fault and "its manifest says" in fault for fault in faults(filled))


def test_a_segment_that_is_gone(filled: Registry) -> None:
    path = segment(filled)
    path.unlink()
    assert any(f"segment {path.name} is gone" in fault for fault in faults(filled))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DELETE FROM store.point WHERE step = 10", "table point: 0 rows that no segment has, 2 rows of segments"),
        ("INSERT INTO store.plan SELECT * FROM store.plan", "table plan: 2 rows that no segment has, 0 rows"),
        ("UPDATE store.trial SET status = 'ok', seconds = 7", "table trial: 3 rows that no segment has, 3 rows"),
        ("UPDATE store.trial SET newest = false", "table trial"),
        ("DELETE FROM store.record", "table record"),
        ("DELETE FROM store.environment", "table environment: 2 rows of segments missing"),
    ],
)
def test_an_index_that_is_not_what_the_segments_say(filled: Registry, sql: str, expected: str) -> None:
    with duckdb.connect(str(filled.folder.index(migrations()[-1].number))) as connection:
        connection.execute(sql)
    found = faults(filled)
    assert any(expected in fault and fault.endswith("run `bench registry rebuild`") for fault in found), found
    filled.rebuild()
    assert faults(filled) == []


def test_an_index_that_cannot_be_opened(filled: Registry) -> None:
    filled.folder.index(migrations()[-1].number).write_bytes(b"no index" * 1_000)
    (fault,) = faults(filled)
    assert "bench registry rebuild" in fault
    assert digest("trial 0") in {row["trial"] for row in filled.table("FROM trials").to_pylist()}
