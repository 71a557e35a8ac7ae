"""The index holds each record once, whatever the lake looks like, and can be made anew at any time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry import Registry, RegistryError
from registry.migrate import migrations
from tests.registry.samples import benchmark, digest, finish, point, run, start, trial

NEWEST = migrations()[-1].number

VIEWS = ("trials", "metrics", "curves", "runs", "plan", "tasks", "components", "environments", "fingerprints")


def dump(registry: Registry) -> dict[str, list[tuple[Any, ...]]]:
    """Every public view as a sorted multiset."""
    with registry.reading() as connection:
        return {view: sorted(connection.execute(f"FROM {view}").fetchall(), key=repr) for view in VIEWS}


def segments(registry: Registry) -> list[Path]:
    return sorted(registry.folder.lake(1).iterdir())


def values(registry: Registry, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in registry.table(sql).to_pylist()]


def test_ingest_is_idempotent(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0), trial(0), trial(1), run([0, 1]))
    before = dump(registry)
    assert len(before["trials"]) == 2
    store(trial(1), trial(0))  # the same records again, in other company
    first, _ = segments(registry)
    shutil.copy(first, first.with_name("copy-from-elsewhere.parquet"))
    assert registry.sync().ingested == 0
    assert dump(registry) == before
    assert registry.info()["segments"] == 3


def test_rebuild_equals_the_grown_index(registry: Registry, store: Callable[..., Registry]) -> None:
    for number in range(6):
        store(trial(number), trial(number, status="killed", started=5.0), run([number, 50], name=f"run-{number}"))
        store(trial(number, fingerprint=digest("code 2"), started=9_000.0 - number))
    before = dump(registry)
    names = segments(registry)
    for old, path in enumerate(names):
        path.rename(path.with_name(f"{99 - old}-{path.name}"))  # another order
    registry.rebuild()
    assert dump(registry) == before
    shutil.rmtree(registry.folder.root / "index")
    assert dump(registry) == before


def test_one_transaction_per_group(
    registry: Registry, store: Callable[..., Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        store(trial(number))
    monkeypatch.setattr("registry.manifests.MAX_RECORDS", 2)
    monkeypatch.setattr("registry.index.SLICE", 0.0)  # give the lock back after every group
    registry.rebuild()
    shutil.rmtree(registry.folder.root / "index")
    assert registry.sync().ingested == 5


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "too small to be a Parquet file"),
        (lambda data: data[: len(data) // 2], "magic bytes"),
        (lambda data: b"not Parquet at all, but text", "magic bytes"),
        (lambda data: data[:200] + b"\x00" * 400 + data[600:], ""),
    ],
)
def test_a_damaged_segment_is_put_aside_and_stops_nothing(
    registry: Registry, store: Callable[..., Registry], damage: Callable[[bytes], bytes], reason: str
) -> None:
    store(trial(0))
    good = segments(registry)[0]
    bad = good.with_name("bad.parquet")
    bad.write_bytes(damage(good.read_bytes()))
    with registry.writer("run-1") as writer:
        writer.append(trial(1))
    report = registry.sync()
    assert (report.quarantined, report.ingested) == (("bad.parquet",), 1)
    text = (registry.folder.quarantine / "bad.parquet.reason.txt").read_text()
    assert reason in text
    assert text.count("\n") == 1
    assert not bad.exists()
    assert registry.rebuild().records == 2


def foreign(**columns: Any) -> pa.Table:
    return pa.table(columns)


@pytest.mark.parametrize("kind", ["no manifest", "no columns", "no status", "newer"])
def test_a_foreign_segment_is_put_aside(registry: Registry, store: Callable[..., Registry], kind: str) -> None:
    store(trial(0))
    table = pq.read_table(segments(registry)[0]).replace_schema_metadata(None)
    manifest = '{"schema": 1, "records": 1, "points": 2, "created": 0, "host": "x"}'
    if kind == "no columns":
        table = table.select(["record", "kind"])
    if kind == "no status":
        table = table.set_column(table.column_names.index("status"), "status", pa.array([None], pa.string()))
    table = table.set_column(0, "record", pa.array([digest("other")]))
    if kind != "no manifest":
        manifest = manifest.replace('"schema": 1', '"schema": 2') if kind == "newer" else manifest
        table = table.replace_schema_metadata({"methodbench": manifest})
    pq.write_table(table, registry.folder.lake(1) / "foreign.parquet")
    assert registry.sync().quarantined == ("foreign.parquet",)
    assert registry.info()["records"] == 1


def test_links_and_odd_names_are_no_segments(
    registry: Registry, store: Callable[..., Registry], tmp_path: Path
) -> None:
    store(trial(0))
    lake = registry.folder.lake(1)
    shutil.copy(segments(registry)[0], tmp_path / "outside.parquet")
    (lake / "link.parquet").symlink_to(tmp_path / "outside.parquet")
    (lake / "it's; odd.parquet").write_text("x")
    (lake / ".draft.parquet").write_text("x")
    (lake / "folder.parquet").mkdir()
    report = registry.sync()
    assert (report.ingested, report.quarantined) == (0, ())


def test_a_damaged_index_is_made_anew(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0), trial(1))
    before = dump(registry)
    for content in (b"", b"not a database at all", b"\x00" * 20_000):
        registry.folder.index(NEWEST).write_bytes(content)
        assert dump(registry) == before
    assert (registry.folder.quarantine / "registry.duckdb").exists()
    registry.folder.index(NEWEST).write_bytes(b"garbage")
    assert registry.sync().ingested == 2
    assert dump(registry) == before


@pytest.mark.parametrize(
    ("name", "value"), [("memory_limt", "1GB"), ("memory_limit", "lots"), ("threads", "0"), ("memory_limit", "1KB")]
)
def test_a_wrong_setting_is_told_and_no_damage(
    registry: Registry, store: Callable[..., Registry], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    store(trial(0))
    index = registry.folder.index(NEWEST)
    before = (index.stat().st_ino, index.read_bytes())
    with registry.writer("run-1") as writer:
        writer.append(trial(1))
    with monkeypatch.context() as patch:
        patch.setattr("registry.index.SETTINGS", {"autoinstall_known_extensions": "false", name: value})
        for call in (registry.info, registry.sync):
            with pytest.raises(RegistryError, match=r"memory" if value == "1KB" else f"the setting {name} = '{value}'"):
                call()
    assert (index.stat().st_ino, index.read_bytes()) == before
    assert not registry.folder.quarantine.exists()
    assert registry.sync().ingested == 1


def test_an_index_that_this_process_has_open_otherwise_is_no_damage(
    registry: Registry, store: Callable[..., Registry]
) -> None:
    store(trial(0))
    with (
        duckdb.connect(str(registry.folder.index(NEWEST)), config={"threads": 1}),
        pytest.raises(RegistryError, match="has the index open"),
    ):
        registry.info()
    assert registry.info()["trials"] == 1
    assert not registry.folder.quarantine.exists()


def test_a_full_disk_while_ingesting_loses_nothing(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0))
    registry.folder.index(NEWEST).unlink()
    with registry.writer("run-1") as writer:
        writer.append(trial(1))
    code = """
        import resource, sys
        from pathlib import Path
        from registry import Registry, RegistryError
        registry = Registry(Path(sys.argv[1]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        try:
            registry.sync()
        except RegistryError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(registry.sync().ingested, registry.info()["quarantine"])
    """
    message, after = finish(start(code, registry.folder.root)).splitlines()
    assert "cannot make the index" in message
    assert message.endswith("free space on the disk and run again")
    assert after == "2 []"


def test_newest_and_current(registry: Registry, store: Callable[..., Registry]) -> None:
    old, new = digest("code 1"), digest("code 2")
    store(
        trial(0, status="ok", started=1.0, log="first"),
        trial(0, status="killed", started=2.0),  # a final status stays in front of a later failure
        trial(0, fingerprint=new, status="timeout", started=3.0),
        trial(1, status="killed", started=1.0),
    )
    store(
        trial(0, fingerprint=new, status="killed", started=4.0),
        trial(1, status="diverged", started=0.5),
        trial(2, status="ok", started=1.0),
        trial(2, status="ok", started=7.0),  # forced again: the later one counts
    )
    shown = values(registry, "SELECT trial, fingerprint, status, started, current FROM trials ORDER BY ALL")
    assert shown == sorted(
        [
            (digest("trial 0"), old, "ok", 1.0, False),
            (digest("trial 0"), new, "killed", 4.0, True),
            (digest("trial 1"), old, "diverged", 0.5, True),
            (digest("trial 2"), old, "ok", 7.0, True),
        ]
    )
    assert registry.info()["statuses"] == {"diverged": 1, "killed": 1, "ok": 2}


def test_the_final_value_is_the_last_by_step(registry: Registry, store: Callable[..., Registry]) -> None:
    points = [point("loss", 20, 0.5), point("loss", 10, 9.0), point("loss", 20, float("nan")), point("acc", 0, 0.125)]
    store(trial(0, points=points))
    found = values(registry, "SELECT metric, value, step, points FROM metrics ORDER BY metric")
    assert found[0] == ("acc", 0.125, 0, 1)
    assert str(found[1]) == "('loss', nan, 20, 3)"
    curve = values(registry, "SELECT step FROM curves WHERE metric = 'loss' ORDER BY step")
    assert curve == [(10,), (20,), (20,)]


def test_typed_columns_come_from_identity_and_counters(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(5))
    found = values(registry, "SELECT task, seed, backend, dtype, threads, forwards, nfe, draws FROM trials")
    assert found == [("depth-train", 5, "reference", "float32", 1, 300, 7, None)]
    (init,) = values(registry, "SELECT identity ->> '$.slots.init.name' FROM trials")[0]
    assert init == "kaiming"


def test_runs_hold_their_plan_and_catalogue(registry: Registry, store: Callable[..., Registry]) -> None:
    store(run([0, 1, 2]), trial(0), trial(1, status="error"), trial(1, started=1.0, status="error"))
    found = values(registry, "SELECT run, spec, planned, records, ok, failed, git_commit, argv FROM runs")
    assert found == [("run-1", "quickstart", 3, 3, 1, 2, "4b" * 20, '["bench","run","quickstart"]')]
    assert values(registry, "SELECT method, task, seed FROM plan ORDER BY seed") == [
        ("kaiming", "depth-train", seed) for seed in range(3)
    ]
    assert values(registry, "SELECT task, entry ->> '$.metrics[0].name' FROM tasks") == [("depth-train", "loss")]
    assert values(registry, "SELECT method, slot, entry ->> '$.key' FROM components") == [
        ("kaiming", "init", "kaiming")
    ]
    assert len(values(registry, "FROM environments")) == 1


def test_modules_of_a_fingerprint_are_kept_though_a_killed_trial_came_first(
    registry: Registry, store: Callable[..., Registry]
) -> None:
    store(trial(0, status="killed", modules={}, libraries={}))
    store(trial(1))
    ((modules,),) = values(registry, "SELECT modules FROM fingerprints")
    assert "harness.loop.trial" in modules


def test_files_stay_readable_by_older_duckdb(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0))
    with duckdb.connect(str(registry.folder.index(NEWEST)), read_only=True) as connection:
        ((version,),) = connection.execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal"
        ).fetchall()
    assert version.startswith("v1.5.0")
    registry.rebuild()
    assert registry.info()["trials"] == 1


def test_a_registry_of_a_newer_program_is_told_and_untouched(registry: Registry) -> None:
    (registry.folder.root / "segments" / "v2").mkdir(parents=True)
    with registry.writer("run-1") as writer:
        writer.append(trial(0))
    for call in (registry.sync, registry.info, registry.rebuild):
        with pytest.raises(RegistryError, match="newer methodbench"):
            call()
    assert len(list(registry.folder.logs.iterdir())) == 1


def test_benchmarks_are_rows_and_a_trial_says_which_kernels_ran(store: Callable[..., Registry]) -> None:
    registry = store(
        trial(0, kernels={"adam": "cpu"}), trial(1), benchmark("time_adam", 2e-3), benchmark("time_adam", None)
    )
    assert values(registry, "SELECT kernels FROM trials ORDER BY seed") == [('{"adam":"cpu"}',), (None,)]
    found = values(
        registry, "SELECT benchmark, params ->> 'n', status, value, unit, samples FROM benchmarks ORDER BY value"
    )
    assert found == [
        ("time_adam", "1000", "ok", 2e-3, "seconds", [2e-3, 2.5e-3]),
        ("time_adam", "1000", "failed", None, "seconds", None),
    ]
    again = store(benchmark("time_adam", 2e-3))
    assert len(values(again, "FROM benchmarks")) == 2
