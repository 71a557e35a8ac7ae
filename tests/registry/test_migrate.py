"""Migrations run on a copy: the old index stays as it was until the new one is complete."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import duckdb
import pytest

from registry import Registry, RegistryError
from registry.migrate import Migration, migrations, prepare, run_steps
from tests.registry.samples import ROOT, trial

NEWEST = migrations()[-1].number
COLUMN = Migration(
    NEWEST + 1, "grade", "ALTER TABLE store.trial ADD COLUMN grade INTEGER; CREATE VIEW main.grades AS SELECT 1 AS x;"
)
BROKEN = Migration(
    NEWEST + 1, "broken", "ALTER TABLE store.trial ADD COLUMN grade INTEGER; ALTER TABLE store.nothing DROP x;"
)


def test_an_older_index_is_copied_and_migrated(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0), trial(1))
    before = registry.folder.index(NEWEST).read_bytes()
    target = prepare(registry.folder, [*migrations(), COLUMN])
    assert target == registry.folder.index(NEWEST + 1)
    with duckdb.connect(str(target), read_only=True) as connection:
        assert connection.execute("SELECT count(*), max(grade) FROM store.trial").fetchone() == (2, None)
        assert connection.execute("FROM grades").fetchone() == (1,)
        (version,) = connection.execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal"
        ).fetchone() or ("",)
        assert version.startswith("v1.5.0")
    assert registry.folder.index(NEWEST).read_bytes() == before
    assert [path.name for path in target.parent.iterdir()] == ["registry.duckdb"]


def test_what_was_committed_but_not_folded_in_is_copied_too(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0))
    code = """if True:
        import os, sys, duckdb
        connection = duckdb.connect(sys.argv[1])
        connection.execute("UPDATE store.trial SET reason = 'late'")
        os._exit(0)
    """
    subprocess.run([sys.executable, "-c", code, str(registry.folder.index(NEWEST))], check=True)
    assert registry.folder.index(NEWEST).with_name("registry.duckdb.wal").stat().st_size > 0
    assert registry.table("SELECT reason FROM trials").to_pylist() == [{"reason": "late"}]
    with duckdb.connect(str(prepare(registry.folder, [*migrations(), COLUMN])), read_only=True) as connection:
        assert connection.execute("SELECT reason, grade FROM store.trial").fetchall() == [("late", None)]


def test_a_migration_that_fails_changes_nothing(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0))
    with pytest.raises(RegistryError, match="cannot make the index"):
        prepare(registry.folder, [*migrations(), BROKEN])
    assert not registry.folder.index(NEWEST + 1).exists()
    registry.folder.index(NEWEST + 1).with_suffix(".draft").unlink()
    registry.folder.index(NEWEST + 1).parent.rmdir()
    assert registry.info()["trials"] == 1


def test_migrations_are_numbered_without_gaps_and_shipped() -> None:
    steps = migrations()
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert all(files("registry").joinpath("sql", f"{step.number:04}_{step.name}.sql").is_file() for step in steps)
    assert len(list((ROOT / "registry" / "sql").glob("*.sql"))) == len(steps)


def test_a_fresh_index_equals_a_migrated_one(registry: Registry, tmp_path: Path) -> None:
    steps = [*migrations(), COLUMN]
    prepare(registry.folder, steps[:-1])
    shapes = []
    for folder in (registry.folder, Registry(tmp_path / "other").folder):
        with duckdb.connect(str(prepare(folder, steps)), read_only=True) as connection:
            columns = "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns"
            shapes.append(sorted(connection.execute(columns).fetchall()))
    assert ("store", "trial", "grade", "INTEGER") in shapes[0]
    assert shapes[0] == shapes[1]


def test_migrate_says_what_there_was_and_what_there_is(registry: Registry, store: Callable[..., Registry]) -> None:
    assert registry.migrate() == (None, 0)
    store(trial(0))
    assert registry.migrate() == (NEWEST, NEWEST)
    old = registry.folder.index(NEWEST - 1)
    old.parent.mkdir()
    registry.folder.index(NEWEST).parent.rename(registry.folder.index(NEWEST).parent.with_name("aside"))
    run_steps(old, migrations()[:-1])
    assert registry.migrate() == (NEWEST - 1, NEWEST)
    assert registry.info()["trials"] == 1


def test_an_older_index_that_is_damaged_is_made_anew_from_the_lake(
    registry: Registry, store: Callable[..., Registry]
) -> None:
    store(trial(0))
    shutil.rmtree(registry.folder.root / "index")
    old = registry.folder.index(NEWEST - 1)
    old.parent.mkdir(parents=True)
    old.write_bytes(b"not a database at all")
    assert registry.info()["trials"] == 1
    assert old.read_bytes() == b"not a database at all"
