"""An older program says that what it meets is newer, and leaves it as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from registry import Registry, RegistryError
from registry.folder import Folder
from registry.log import frame
from registry.migrate import migrations
from registry.records import SCHEMA, canonical
from tests.registry.samples import trial
from tests.registry.test_hostile_import import parcel, table_of

NEWER = {"segments": SCHEMA + 1, "index": migrations()[-1].number + 1}


def everything(registry: Registry) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in registry.folder.root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("part", ["segments", "index"])
def test_newer_segments_and_indexes_are_told_and_untouched(
    store: Callable[..., Registry], tmp_path: Path, part: str
) -> None:
    registry = store(trial(0))
    (registry.folder.root / part / f"v{NEWER[part]}").mkdir(parents=True)
    before = everything(registry)
    parcel(tmp_path / "sent.parquet", table_of(trial(1)))
    other = Registry(tmp_path / "other")
    reason = rf"newer methodbench \({part} schema {NEWER[part]}, .*upgrade"
    for act in (
        registry.sync,
        registry.info,
        registry.rebuild,
        registry.compact,
        lambda: registry.send(tmp_path / "out.parquet"),
        lambda: registry.bundle(tmp_path / "out.duckdb"),
        lambda: registry.receive(tmp_path / "sent.parquet"),
        lambda: other.merge(registry.folder.root),
    ):
        with pytest.raises(RegistryError, match=reason) as caught:
            act()
        assert "\n" not in str(caught.value)
    assert everything(registry) == before


def test_logs_with_newer_records_are_told_and_left(registry: Registry) -> None:
    path = registry.folder.logs / "run-1@1-00.log"
    path.parent.mkdir(parents=True)
    path.write_bytes(frame(canonical(trial(0))) + frame(canonical(trial(1, schema=SCHEMA + 1))))
    report = registry.sync()
    assert (report.newer, report.quarantined) == ((path.name,), ())
    assert path.exists()
    assert registry.info()["waiting_logs"] == [path.name]


def test_a_merge_with_newer_records_is_refused(registry: Registry, tmp_path: Path) -> None:
    other = Folder(tmp_path / "other")
    other.logs.mkdir(parents=True)
    (other.logs / "run-1@1-00.log").write_bytes(frame(canonical(trial(1, schema=SCHEMA + 1))))
    with pytest.raises(RegistryError, match=r"written by a newer methodbench .*; upgrade methodbench"):
        registry.merge(other.root)
