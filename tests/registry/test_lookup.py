"""The harness learns in bulk what is known, and gets whole records back."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from registry import LedgerEntry, Registry, RegistryError
from registry.migrate import migrations
from tests.registry.samples import digest, finish, run, start, trial

CODE = digest("code 1")


def test_ledger_answers_for_the_fingerprint_alone(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0), trial(1, status="killed", machine="ab" * 8), trial(2, fingerprint=digest("code 2")))
    found = registry.ledger((digest(f"trial {number}"), CODE) for number in range(4))
    assert set(found) == {digest("trial 0"), digest("trial 1")}
    entry = found[digest("trial 1")]
    assert (entry.status, entry.run, entry.started, entry.machine) == ("killed", "run-1", 1_001.0, "ab" * 8)
    assert isinstance(entry, LedgerEntry)
    assert len(entry.record) == 32


def test_ledger_of_ten_thousand_pairs_is_quick(registry: Registry, store: Callable[..., Registry]) -> None:
    store(*(trial(number, points=[]) for number in range(2_000)))
    pairs = [(digest(f"trial {number % 2_500}"), CODE) for number in range(10_000)]
    begin = time.process_time()
    found = registry.ledger(pairs)
    assert time.process_time() - begin < 0.3
    assert len(found) == 2_000


def test_latest_tells_every_fingerprint_newest_first(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0, started=1.0), trial(0, fingerprint=digest("code 2"), started=2.0, status="error"))
    found = registry.latest([digest("trial 0"), digest("trial 9")])
    assert list(found) == [digest("trial 0")]
    known = [(one.fingerprint, one.status) for one in found[digest("trial 0")]]
    assert known == [(digest("code 2"), "error"), (CODE, "ok")]


def test_record_gives_back_what_was_written(registry: Registry, store: Callable[..., Registry]) -> None:
    new = trial(0, fingerprint=digest("code 2"), started=5_000.0, log="second")
    store(trial(0, log="first"), new, trial(1))
    assert registry.record(digest("trial 0")) == new
    assert registry.record(digest("trial 0"), CODE)["log"] == "first"
    with pytest.raises(RegistryError, match="has no record"):
        registry.record(digest("trial 7"))


def test_a_record_whose_segment_is_gone_is_told(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0))
    (segment,) = registry.folder.lake(1).iterdir()
    segment.unlink()
    with pytest.raises(RegistryError, match="is gone; run `bench registry rebuild`"):
        registry.record(digest("trial 0"))


def test_short_ids_resolve_when_unique(registry: Registry, store: Callable[..., Registry]) -> None:
    first, second, planned = "ab" * 16, "abac" + "0" * 28, digest("trial 3")
    store(trial(0, trial=first), trial(1, trial=second), run([3]))
    assert registry.resolve("abab") == first
    assert registry.resolve(second) == second
    assert registry.resolve(planned[:8]) == planned
    with pytest.raises(RegistryError, match="several trials start with aba: ababababa, abac00000; give more digits"):
        registry.resolve("aba")
    for wrong, message in (("fedcba987", "no trial starts with"), ("xyz", "is no trial id"), ("", "is no trial id")):
        with pytest.raises(RegistryError, match=message):
            registry.resolve(wrong)


def test_planned_but_missing_after_a_run_ended(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0, run="run-0", started=1.0))  # cached before the run
    store(trial(1, run="run-0", started=1.0, status="killed"))  # no answer: the run was to do it again
    store(trial(2, run="run-0", started=1.0, fingerprint=digest("code 0")))  # other code
    store(run([0, 1, 2, 3, 4]), trial(3))
    missing = registry.planned_but_missing()
    assert {(one.trial, one.fingerprint, one.run) for one in missing} == {
        (digest(f"trial {number}"), CODE, "run-1") for number in (1, 2, 4)
    }
    by_trial = {one.trial: one for one in missing}
    assert by_trial[digest("trial 1")].identity["seed"] == 1
    assert by_trial[digest("trial 4")].identity == {}
    assert (by_trial[digest("trial 4")].method, by_trial[digest("trial 4")].seed) == ("kaiming", 4)
    assert registry.planned_but_missing(machine="ff" * 8) == []
    store(*(trial(number, status="lost", started=2_000.0) for number in (1, 2, 4)))
    assert registry.planned_but_missing() == []


def test_nothing_is_missing_while_the_run_lives(registry: Registry) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from registry import Registry
        from tests.registry.samples import run
        writer = Registry(Path(sys.argv[1])).writer("run-1")
        writer.append(run([0, 1]))
        writer.rotate()
        print("ready", flush=True)
        time.sleep(60)
    """
    child = start(code, registry.folder.root)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    registry.sync()
    assert registry.running() == {"run-1"}
    assert registry.planned_but_missing() == []
    child.kill()
    child.communicate()
    assert registry.planned_but_missing() == []  # its log may hold what is missed
    registry.sync()
    assert len(registry.planned_but_missing()) == 2


def test_an_empty_place_has_no_answers_and_stays_empty(registry: Registry) -> None:
    assert registry.ledger([(digest("trial 0"), CODE)]) == {}
    assert registry.latest([digest("trial 0")]) == {}
    assert registry.planned_but_missing() == []
    assert registry.sync().ingested == 0
    assert registry.info()["records"] == 0
    assert not registry.folder.root.exists()
    for ask in (lambda: registry.query("SELECT 1"), lambda: registry.resolve("ab"), lambda: registry.record("ab")):
        with pytest.raises(RegistryError, match="no registry here yet"):
            ask()


def test_info_counts(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0), trial(1, status="error"), run([0, 1]))
    with registry.writer("run-2") as writer:
        writer.append(trial(2))
        info = registry.info()
    counts = {key: info[key] for key in ("records", "trials", "points", "runs", "segments")}
    assert counts == {"records": 3, "trials": 2, "points": 4, "runs": 1, "segments": 1}
    assert info["statuses"] == {"error": 1, "ok": 1}
    assert len(info["open_logs"]) == 1
    assert info["waiting_logs"] == []
    assert info["bytes"]["segments"] > 0
    assert info["schemas"] == {"segments": [1], "index": [migrations()[-1].number]}


def test_importing_loads_neither_duckdb_nor_arrow() -> None:
    code = """
        import sys, registry
        print([name for name in ("duckdb", "pyarrow", "numpy", "torch", "numba") if name in sys.modules])
    """
    assert finish(start(code)) == "[]\n"
