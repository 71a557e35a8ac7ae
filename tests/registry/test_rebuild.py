"""A new index is made beside the old one: readers and ingest go on, and nothing that came meanwhile is missing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from registry import Registry, RegistryBusy
from registry.lock import hold, rebuilding
from tests.registry.samples import digest, trial


def seeds(registry: Registry) -> list[int]:
    return [row["seed"] for row in registry.table("SELECT seed FROM trials ORDER BY seed").to_pylist()]


def while_filling(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Run `act` in another thread between the first filling of a new index and the exchange."""
    import registry.index as index

    fill, done = index._fill, threading.Event()

    def filled(*arguments: object, anew: bool) -> object:
        result = fill(*arguments, anew=anew)  # type: ignore[arg-type]
        if not done.is_set():
            done.set()
            thread = threading.Thread(target=act)
            thread.start()
            thread.join()
        return result

    monkeypatch.setattr(index, "_fill", filled)


def test_ingest_and_readers_go_on(
    registry: Registry, store: Callable[..., Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    store(trial(0), trial(1))
    seen = []

    def meanwhile() -> None:
        store(trial(2))
        seen.append(seeds(registry))

    while_filling(monkeypatch, meanwhile)
    assert registry.rebuild().records == 3
    assert seen == [[0, 1, 2]]
    assert seeds(registry) == [0, 1, 2]
    assert [path.name for path in registry.folder.index(registry.info()["schemas"]["index"][-1]).parent.iterdir()] == [
        "registry.duckdb"
    ]


def test_segments_that_were_replaced_meanwhile_are_forgotten(
    registry: Registry, store: Callable[..., Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    store(trial(0))
    old = next(registry.folder.lake(1).iterdir())

    def meanwhile() -> None:
        old.rename(old.with_name("another.parquet"))

    while_filling(monkeypatch, meanwhile)
    done = registry.rebuild()
    assert (done.records, done.segments, done.quarantined) == (1, 1, [])
    assert registry.record(digest("trial 0"))["trial"] == digest("trial 0")


def test_one_process_rebuilds_at_a_time(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0))
    registry.timeout = 0.05
    with rebuilding(registry.folder, 0):
        with pytest.raises(RegistryBusy, match="another process rebuilds the index, waited"):
            registry.rebuild()
        assert seeds(registry) == [0]
    assert registry.rebuild().records == 1


def test_the_old_index_stays_when_the_exchange_must_wait_too_long(
    registry: Registry, store: Callable[..., Registry]
) -> None:
    store(trial(0))
    registry.timeout = 0.05
    with hold(registry.folder, exclusive=False), pytest.raises(RegistryBusy, match="shared since"):
        registry.rebuild()
    assert seeds(registry) == [0]
    assert not list(registry.folder.root.rglob("*.rebuilt*"))


def test_a_draft_left_by_a_kill_is_no_obstacle(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0))
    index: Path = registry.folder.index(registry.info()["schemas"]["index"][-1])
    index.with_suffix(".rebuilt").write_bytes(b"half of an index")
    assert registry.rebuild().records == 1
