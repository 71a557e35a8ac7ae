"""A bundle answers as the registry did, is read without a trace, and reaches nothing outside itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from registry import Registry, RegistryError
from registry.bundle_reader import Bundle
from tests.registry.samples import benchmark, digest, run, trial
from tests.registry.test_ingest import VIEWS, dump


@pytest.fixture
def filled(store: Callable[..., Registry]) -> Registry:
    store(trial(0), trial(1), run([0, 1], spec="first"), benchmark("time_adam", 1.0))
    return store(run([1, 2], name="run-2", spec="second"), trial(2, run="run-2", status="error"))


def listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir())


def test_a_bundle_answers_as_the_registry_did(filled: Registry, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    rows = filled.bundle(tmp_path / "out" / "all.duckdb")
    assert rows["trials"] == 3
    before = listing(tmp_path / "out")
    (tmp_path / "out").chmod(0o555)
    bundle = Bundle(tmp_path / "out" / "all.duckdb")
    assert dump(bundle) == dump(filled)
    sql = "SELECT task, count(*) AS n FROM metrics GROUP BY task"
    assert bundle.query(sql).to_pylist() == filled.query(sql).to_pylist() == [{"task": "depth-train", "n": 3}]
    assert bundle.table("FROM trials").num_rows == 3
    assert not bundle.sync().busy
    (tmp_path / "out").chmod(0o755)
    assert listing(tmp_path / "out") == before
    with duckdb.connect(str(tmp_path / "out" / "all.duckdb"), read_only=True) as connection:
        ((version,),) = connection.execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal"
        ).fetchall()
        assert version.startswith("v1.5.0")
        tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        assert set(VIEWS) < tables
        assert connection.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchone() == (0,)


def test_a_bundle_of_a_spec_holds_what_answers_its_plan(filled: Registry, tmp_path: Path) -> None:
    filled.bundle(tmp_path / "second.duckdb", ["second"])
    found = dump(Bundle(tmp_path / "second.duckdb"))
    assert {row[0] for row in found["runs"]} == {row[0] for row in found["plan"]} == {"run-2"}
    assert sorted(row[1] for row in found["trials"]) == sorted(digest(f"trial {n}") for n in (1, 2))
    assert len(found["metrics"]) == 2
    assert len(found["environments"]) == len(found["fingerprints"]) == 1
    with pytest.raises(RegistryError, match="no spec is called 'third'"):
        filled.bundle(tmp_path / "third.duckdb", ["third"])
    with pytest.raises(RegistryError, match="is there already"):
        filled.bundle(tmp_path / "second.duckdb")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".methodbench", "second.duckdb"]


def test_what_needs_the_registry_itself_says_so(filled: Registry, tmp_path: Path) -> None:
    filled.bundle(tmp_path / "all.duckdb")
    bundle = Bundle(tmp_path / "all.duckdb")
    with pytest.raises(RegistryError, match="a bundle answers query, leaderboard and compare only"):
        bundle.record(digest("trial 0"))
    with pytest.raises(RegistryError, match="a bundle answers query, leaderboard and compare only"):
        Registry(tmp_path / "all.duckdb")


@pytest.mark.parametrize("kind", ["text", "index", "view", "newer", "link to itself"])
def test_what_is_no_bundle_is_refused_in_one_line(filled: Registry, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "sent.duckdb"
    reasons = {
        "text": "cannot be read as a bundle",
        "index": "no bundle of methodbench",
        "view": "holds the view 'trials'",
        "newer": "written by a newer methodbench",
        "link to itself": "cannot be read as a bundle",
    }
    if kind == "text":
        path.write_text("not a database " * 1000)
    elif kind == "link to itself":
        path.symlink_to(path)
    elif kind == "index":
        path.write_bytes(next((filled.folder.root / "index").rglob("registry.duckdb")).read_bytes())
    else:
        filled.bundle(path)
        with duckdb.connect(str(path)) as connection:
            if kind == "newer":
                connection.execute("UPDATE methodbench_bundle SET schema = 999")
            else:
                connection.execute("DROP TABLE trials; CREATE VIEW trials AS SELECT * FROM read_text('/etc/passwd')")
    with pytest.raises(RegistryError, match=reasons[kind]) as caught:
        Bundle(path)
    assert "\n" not in str(caught.value)


def test_a_bundle_reaches_no_other_file(filled: Registry, tmp_path: Path) -> None:
    filled.bundle(tmp_path / "all.duckdb")
    bundle = Bundle(tmp_path / "all.duckdb")
    for sql in ("SELECT * FROM read_text('/etc/passwd')", "ATTACH '/tmp/x.duckdb' AS x", "DELETE FROM trials"):
        with pytest.raises(RegistryError, match=r"disabled|not allowed"):
            bundle.query(sql)
