"""Registries meet by set union: what was sent arrives once, whole, and with its machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from registry import Registry, RegistryError
from registry.tombstones import Selection
from tests.registry.kills import each_instant
from tests.registry.samples import benchmark, digest, run, trial
from tests.registry.test_compact import fill, in_lake
from tests.registry.test_ingest import dump, segments, values

RECEIVE = """
import sys
from pathlib import Path
from registry import Registry
Registry(Path(sys.argv[1])).receive(Path(sys.argv[2]))
"""
FOREIGN = {"machine": "9a" * 8, "environment": {"cpu": "another cpu", "cores": 64}}


@pytest.fixture
def other(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "other", timeout=5.0)


def write(registry: Registry, *records: dict[str, object]) -> None:
    with registry.writer("run-1") as writer:
        for record in records:
            writer.append(record)
    registry.sync()


@pytest.mark.parametrize("name", ["parcel.parquet", "parcel"])
def test_everything_travels(store: Callable[..., Registry], other: Registry, tmp_path: Path, name: str) -> None:
    points = [{"metric": "loss", "step": 0, "value": float("inf")}]
    registry = store(trial(0, log="naïve \x00"), trial(1, points=points), run([0, 1]), benchmark("time_adam", 1.0))
    store(trial(2), trial(2, started=1.0, status="killed"))
    sent = registry.send(tmp_path / name)
    assert (sent.records, sent.files) == (6, 1)
    received = other.receive(tmp_path / name)
    assert (received.offered, received.new, received.dropped) == (6, 6, 0)
    assert dump(other) == dump(registry)
    assert other.record(digest("trial 0")) == registry.record(digest("trial 0"))
    assert other.receive(tmp_path / name).new == 0
    assert len(segments(other)) == 1
    with pytest.raises(RegistryError, match="is there already"):
        registry.send(tmp_path / name)


def test_a_spec_travels_with_whatever_answers_its_plan(
    store: Callable[..., Registry], other: Registry, tmp_path: Path
) -> None:
    registry = store(trial(0), trial(1), trial(2), run([0, 1, 2], spec="first"))
    store(run([1], name="run-2", spec="second"), trial(3, run="run-2"))
    registry.send(tmp_path / "second.parquet", specs=["second"])
    other.receive(tmp_path / "second.parquet")
    assert values(other, "SELECT seed FROM trials ORDER BY seed") == [(1,), (3,)]
    assert values(other, "SELECT run FROM runs") == [("run-2",)]
    with pytest.raises(RegistryError, match="no spec is called 'third'"):
        registry.send(tmp_path / "third.parquet", specs=["third"])


def test_a_large_parcel_has_many_row_groups(
    registry: Registry, other: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(registry, 0, 3)
    monkeypatch.setattr("registry.rows.MAX_RECORDS", 2)
    registry.send(tmp_path / "parcel.parquet")
    assert pq.read_metadata(tmp_path / "parcel.parquet").num_row_groups == 3
    other.receive(tmp_path / "parcel.parquet")
    assert dump(other) == dump(registry)
    assert registry.send(tmp_path / "parcel").files == 3


def test_machines_merge_to_the_same_registry_in_either_order(registry: Registry, other: Registry) -> None:
    write(registry, trial(0), trial(1), run([0, 1]))
    write(other, trial(0, **FOREIGN), trial(5, **FOREIGN), run([0, 5], name="run-2", **FOREIGN), trial(1))
    assert registry.merge(other.folder.root).new == 3
    assert other.merge(registry.folder.root).new == 2
    assert dump(registry) == dump(other)
    assert values(registry, "SELECT DISTINCT machine FROM environments ORDER BY ALL") == [("3c" * 8,), ("9a" * 8,)]
    assert registry.merge(other.folder.root).new == 0


def test_drops_travel_too(registry: Registry, other: Registry, tmp_path: Path) -> None:
    write(registry, trial(0), trial(1))
    other.merge(registry.folder.root)
    registry.drop(registry.select(Selection(trials=[digest("trial 0")])), "wrong", "3c" * 8)
    registry.compact()
    registry.send(tmp_path / "parcel.parquet")
    with pytest.raises(RegistryError, match="its tombstones drop 1 records that are held here; add --yes"):
        other.receive(tmp_path / "parcel.parquet")
    assert other.info()["trials"] == 2
    assert other.receive(tmp_path / "parcel.parquet", drops=True).dropped == 1
    assert other.info()["trials"] == 1
    registry.merge(other.folder.root)  # which still holds the record itself in its first segment
    assert dump(registry) == dump(other)


def test_open_logs_are_merged_and_left_alone(registry: Registry, other: Registry) -> None:
    with other.writer("run-1") as writer:
        writer.append(trial(0))
        with (other.folder.logs / "run-9@1-00.log").open("wb") as torn:
            torn.write(b"\xf5MB1 torn")
        before = sorted(path.name for path in other.folder.root.rglob("*"))
        assert registry.merge(other.folder.root).new == 1
        assert sorted(path.name for path in other.folder.root.rglob("*")) == before


def test_what_is_no_other_registry_is_told(registry: Registry, tmp_path: Path) -> None:
    write(registry, trial(0))
    with pytest.raises(RegistryError, match="no registry here"):
        registry.merge(tmp_path)
    with pytest.raises(RegistryError, match="the registry itself"):
        registry.merge(registry.folder.root)
    with pytest.raises(RegistryError, match="use `bench registry merge"):
        Registry(tmp_path / "third").receive(registry.folder.root)


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.full)])
def test_a_kill_at_any_instant_of_an_import_is_mended_by_the_next(
    registry: Registry, tmp_path: Path, every: int
) -> None:
    fill(registry, 0, 2)
    registry.send(tmp_path / "parcel.parquet")
    others: list[Registry] = []

    def fresh(number: int) -> tuple[object, ...]:
        others.append(Registry(tmp_path / str(number)))
        write(others[-1], trial(0))
        return others[-1].folder.root, tmp_path / "parcel.parquet"

    for folder in ("receiving", "segments"):
        for _ in each_instant(RECEIVE, folder, fresh, every):
            other = others.pop()
            other.sync()
            assert other.info()["records"] in (1, 4)
            other.receive(tmp_path / "parcel.parquet")
            assert len(in_lake(other)) == other.info()["records"] == 4
            assert not (other.folder.root / "receiving").exists()
            shutil.rmtree(other.folder.root)
