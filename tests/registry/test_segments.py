"""Sealing keeps every record as it was logged and touches no live log."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from registry import Registry, RegistryError
from registry.folder import Folder
from registry.log import claim, frame
from registry.records import canonical, check, record_hash
from registry.segments import COLUMNS, MANIFEST, seal_logs, to_record
from tests.registry.samples import digest, finish, point, run, start, trial


def rows(folder: Folder) -> list[dict[str, Any]]:
    """All rows of the lake, by record hash."""
    found: list[dict[str, Any]] = []
    for path in folder.lake(1).glob("*.parquet"):
        found += pq.read_table(path).to_pylist()
    return sorted(found, key=lambda row: str(row["record"]))


def by_hash(*records: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(records, key=lambda record: record_hash(canonical(check(record))))


HARD = [
    trial(0),
    trial(1, points=[], log="naïve 🙂 \x00 \x1b[31m", reason='say "no"'),
    trial(2, points=[point("loss", 0, math.inf), point("ünï", -(2**63), 5e-324), point("loss", 2, -0.0)]),
    trial(3, points=[{"metric": "loss", "step": 0, "value": 1.0}], note={"later": [1, None]}),
    {key: value for key, value in trial(4).items() if key not in ("points", "log", "identity", "counters")},
    run([0, 1], claims=[{"id": "c", "margin": math.inf}], extra=None),
    run([2], name="run-2", plan=[{"trial": digest("x"), "method": "m[lr=0.1]", "task": "t/1", "seed": 0}]),
]


def test_round_trip_is_exact(registry: Registry, store: Callable[..., Registry]) -> None:
    store(*HARD)
    found = rows(registry.folder)
    assert [to_record(row) for row in found] == by_hash(*HARD)
    assert [record_hash(canonical(to_record(row))) for row in found] == [row["record"] for row in found]


def test_nan_survives(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0, points=[point("loss", 0, math.nan)], seconds=math.nan))
    (row,) = rows(registry.folder)
    assert math.isnan(row["seconds"])
    assert math.isnan(row["points"][0]["value"])


def test_footer_is_the_manifest(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0), trial(1), run([0, 1]))
    (path,) = registry.folder.lake(1).iterdir()
    metadata = pq.read_metadata(path)
    manifest = json.loads(metadata.metadata[MANIFEST.encode()])
    assert {key: manifest[key] for key in ("schema", "records", "points")} == {"schema": 1, "records": 3, "points": 4}
    assert path.name == f"{manifest['digest']}.parquet"
    assert pq.read_schema(path).names == list(COLUMNS)


def test_live_logs_are_left_alone(registry: Registry) -> None:
    with registry.writer("run-1") as writer:
        writer.append(trial(0))
        assert seal_logs(registry.folder).records == 0
        writer.append(trial(1))
    assert seal_logs(registry.folder).records == 2
    assert list(registry.folder.logs.iterdir()) == []


def test_sealing_the_same_records_twice_gives_one_segment(registry: Registry) -> None:
    for _ in range(2):
        with registry.writer("run-1") as writer:
            writer.append(trial(0))
        seal_logs(registry.folder)
    assert len(rows(registry.folder)) == 1


def test_many_logs_become_one_segment_and_a_large_one_several(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        with registry.writer("run-1") as writer:
            writer.append(trial(number))
    assert len(seal_logs(registry.folder).segments) == 1
    monkeypatch.setattr("registry.segments.MAX_RECORDS", 2)
    with registry.writer("run-1") as writer:
        for number in range(5, 10):
            writer.append(trial(number))
    sealed = seal_logs(registry.folder)
    assert (len(sealed.segments), sealed.records) == (3, 5)
    assert len(rows(registry.folder)) == 10


def test_what_is_no_record_is_put_aside_with_its_reason(registry: Registry) -> None:
    logs = registry.folder.logs
    logs.mkdir(parents=True)
    torn = frame(canonical(trial(1)))[:-5]
    bad = frame(b'{"kind":"trial","schema":1}')
    (logs / "run-1@1-00.log").write_bytes(frame(canonical(trial(0))) + bad + frame(canonical(trial(2))) + torn)
    sealed = seal_logs(registry.folder)
    assert sealed.records == 2
    assert len(sealed.quarantined) == 2
    quarantine = registry.folder.quarantine
    kept = {(quarantine / name).read_bytes() for name in sealed.quarantined}
    assert kept == {torn, b'{"kind":"trial","schema":1}'}
    reasons = "".join(path.read_text() for path in quarantine.glob("*.reason.txt"))
    assert "run is missing" in reasons
    assert "torn:" in reasons
    assert not list(logs.iterdir())


def test_a_log_of_a_newer_program_is_left_to_it(registry: Registry) -> None:
    logs = registry.folder.logs
    logs.mkdir(parents=True)
    newer = logs / "run-1@1-00.log"
    newer.write_bytes(frame(canonical(trial(1, schema=2))))
    assert seal_logs(registry.folder).quarantined == []
    assert newer.exists()


def test_a_link_in_the_logs_is_not_followed(registry: Registry, tmp_path: Path) -> None:
    registry.folder.logs.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.write_bytes(frame(canonical(trial(1))))
    (registry.folder.logs / "run-1@1-00.log").symlink_to(outside)
    assert seal_logs(registry.folder).records == 0
    assert outside.exists()


def test_a_claimed_log_is_not_claimed_twice(registry: Registry) -> None:
    with registry.writer("run-1") as writer:
        writer.append(trial(0))
    (log,) = registry.folder.logs.iterdir()
    assert claim(log) is not None
    assert claim(log) is None


def test_a_full_disk_while_sealing_keeps_the_log(registry: Registry) -> None:
    with registry.writer("run-1") as writer:
        for number in range(50):
            writer.append(trial(number))
    code = """
        import resource, sys
        from pathlib import Path
        from registry import Registry, RegistryError
        registry = Registry(Path(sys.argv[1]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
        try:
            registry.sync()
        except RegistryError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(registry.sync().ingested)
    """
    message, ingested = finish(start(code, registry.folder.root)).splitlines()
    assert "cannot seal logs" in message
    assert ingested == "50"


def test_the_lake_is_readable_without_us(registry: Registry, store: Callable[..., Registry]) -> None:
    store(*(trial(number) for number in range(3)))
    lake = str(registry.folder.lake(1) / "*.parquet")
    sql = "SELECT sum(len(points)), max(identity ->> '$.task.name') FROM read_parquet($1) WHERE kind = 'trial'"
    assert duckdb.execute(sql, [lake]).fetchone() == (6, "depth-train")


def test_a_trial_with_very_many_points_fits(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0, points=[point("loss", step, step / 7) for step in range(60_000)]))
    assert registry.record(digest("trial 0"))["points"][59_999] == point("loss", 59_999, 59_999 / 7)


def test_an_unwritable_quarantine_is_one_line(registry: Registry) -> None:
    registry.folder.logs.mkdir(parents=True)
    (registry.folder.logs / "run-1@1-00.log").write_bytes(b"garbage")
    registry.folder.quarantine.write_text("in the way")
    with pytest.raises(RegistryError, match="cannot seal logs"):
        seal_logs(registry.folder)
