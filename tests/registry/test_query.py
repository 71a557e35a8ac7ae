"""A stranger's query reads the views and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from registry import Registry, RegistryError
from registry.lock import holders
from registry.query import form_of, packed, write_answer
from tests.registry.samples import digest, trial


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    registry = Registry(tmp_path_factory.mktemp("query") / ".methodbench", timeout=5.0)
    with registry.writer("run-1") as writer:
        for number in range(3):
            writer.append(trial(number))
    registry.sync()
    yield registry
    assert holders(registry.folder) == []
    assert registry.info()["trials"] == 3


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT task, count(*) AS n FROM trials GROUP BY task",
        "WITH t AS (FROM trials) SELECT min(task) AS task, count(*) AS n FROM t -- a comment",
        "FROM (SELECT task, count(*) AS n FROM metrics GROUP BY ALL);",
    ],
)
def test_selects_answer(filled: Registry, sql: str) -> None:
    assert filled.query(sql).to_pylist() == [{"task": "depth-train", "n": 3}]


def test_no_rows_still_have_columns(filled: Registry) -> None:
    table = filled.query("SELECT trial, seed FROM trials WHERE false")
    assert (table.num_rows, table.column_names) == (0, ["trial", "seed"])


def test_describe_and_explain_are_allowed(filled: Registry) -> None:
    assert "fingerprint" in filled.query("DESCRIBE trials")["column_name"].to_pylist()
    assert filled.query("EXPLAIN SELECT * FROM trials").num_rows > 0


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT * FROM read_csv('{outside}')", "disabled by configuration"),
        ("SELECT * FROM read_text('/etc/passwd')", "disabled by configuration"),
        ("SELECT * FROM read_parquet('{lake}/*.parquet')", "disabled by configuration"),
        ("SELECT * FROM '{outside}'", "does not exist"),
        ("SELECT * FROM glob('/etc/*')", "disabled by configuration"),
        ("SELECT * FROM read_csv('https://example.com/x.csv')", "disabled"),
        ("SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')", "disabled by configuration"),
        ("SELECT * FROM enable_logging(storage = 'file', storage_path = '{outside}.log')", "locked"),
        ("SELECT * FROM duckdb_secrets()", "disabled by configuration"),
        ("COPY trials TO '{outside}.csv'", "COPY is not allowed"),
        ("EXPORT DATABASE '{outside}.d'", "EXPORT is not allowed"),
        ("ATTACH '{outside}.duckdb' AS x", "ATTACH is not allowed"),
        ("INSTALL httpfs", "LOAD is not allowed"),
        ("LOAD httpfs", "LOAD is not allowed"),
        ("PRAGMA database_list", "is not allowed"),
        ("SET enable_external_access = true", "SET is not allowed"),
        ("RESET memory_limit", "is not allowed"),
        ("INSERT INTO store.trial SELECT * FROM store.trial", "INSERT is not allowed"),
        ("DELETE FROM store.trial", "DELETE is not allowed"),
        ("UPDATE store.trial SET status = 'ok'", "UPDATE is not allowed"),
        ("DROP VIEW trials", "DROP is not allowed"),
        ("CREATE TEMP TABLE x AS SELECT 1", "CREATE is not allowed"),
        ("CALL force_checkpoint()", "is not allowed"),
        ("EXPLAIN ANALYZE INSERT INTO store.plan SELECT * FROM store.plan", "read-only"),
        ("SELECT 1; SELECT 2", "one statement at a time: found 2"),
        ("SELECT 1; DROP VIEW trials", "one statement at a time: found 2"),
        ("", "the query is empty"),
        (" -- nothing", "the query is empty"),
        ("SELEC 1", "syntax error"),
        ("SELECT statuss FROM trials", "statuss"),
        ("FROM range(100000)", "more than 1000 rows"),
        ("SELECT repeat('x', 400000) FROM range(900)", "larger than 256 MiB"),
        ("VACUUM", "VACUUM is not allowed"),
        ("FORCE CHECKPOINT", "CALL is not allowed"),
        ("SELECT * FROM force_checkpoint('registry')", "Cannot FORCE CHECKPOINT"),
        ("BEGIN TRANSACTION", "TRANSACTION is not allowed"),
        ("USE store", "SET is not allowed"),
        ("DETACH registry", "DETACH is not allowed"),
        ("CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')", "CREATE is not allowed"),
        ("ALTER TABLE store.trial ADD COLUMN x INTEGER", "ALTER is not allowed"),
        ("PREPARE p AS SELECT 1", "PREPARE is not allowed"),
        ("IMPORT DATABASE '{outside}'", "PRAGMA is not allowed"),
        ("UPDATE EXTENSIONS", "this statement is not allowed"),
        ("FORCE INSTALL spatial FROM community", "LOAD is not allowed"),
        ("SET VARIABLE x = 1", "SET is not allowed"),
        ("ATTACH ':memory:' AS m", "ATTACH is not allowed"),
        ("COPY trials FROM '{outside}'", "COPY is not allowed"),
        ("COPY FROM DATABASE registry TO memory", "is not allowed"),
        ("MERGE INTO store.plan USING store.plan p ON false WHEN MATCHED THEN DELETE", "is not allowed"),
        ("SELECT * FROM parquet_kv_metadata('{lake}/*.parquet')", "disabled by configuration"),
        ("SELECT * FROM sniff_csv('{outside}')", "disabled by configuration"),
        ("SELECT * FROM 's3://bucket/x.parquet'", "disabled by configuration"),
        ("SELECT * FROM sqlite_scan('{outside}', 'x')", "is not in the catalog"),
        ("SELECT * FROM disable_logging()", "locked"),
        ("SELECT getenv('HOME')", "does not exist"),
        ("EXPLAIN ANALYZE SELECT count(*) FROM range(10000000000000)", "stopped after"),
        (
            "FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''/etc/passwd'')'))",
            "disabled by configuration",
        ),
        ("SELECT list(a.range) FROM range(100000000) a, range(1000) b", "stopped after|memory"),
    ],
)
def test_everything_else_is_refused_in_one_line(filled: Registry, tmp_path: Path, sql: str, reason: str) -> None:
    (tmp_path / "outside").write_text("a,b\n1,2\n")
    sql = sql.replace("{outside}", str(tmp_path / "outside")).replace("{lake}", str(filled.folder.lake(1)))
    with pytest.raises(RegistryError, match=reason) as caught:
        filled.query(sql, max_rows=1_000, seconds=2)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
        "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b",
        "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))",  # heeds no interrupt
    ],
)
def test_endless_queries_end(filled: Registry, sql: str) -> None:
    begin = time.monotonic()
    with pytest.raises(RegistryError, match=r"stopped after 0.3 s: ask for less, or allow more seconds"):
        filled.query(sql, seconds=0.3)
    assert time.monotonic() - begin < 5


def test_variables_of_the_caller_are_no_tables(filled: Registry) -> None:
    secret = filled.table("SELECT 1 AS x")
    with pytest.raises(RegistryError, match="secret"):
        filled.query("FROM secret")
    assert secret.num_rows == 1


def test_trusted_tables_take_parameters(filled: Registry) -> None:
    table = filled.table("SELECT seed FROM trials WHERE trial = $1", [digest("trial 2")])
    assert table.to_pylist() == [{"seed": 2}]


def test_a_very_long_query_is_refused(filled: Registry) -> None:
    with pytest.raises(RegistryError, match="at most 100000 are read"):
        filled.query("SELECT " + "1," * 60_000 + "1")


def test_text_travels(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0, reason="naïve 🙂 'quoted'"))
    sql = "SELECT reason FROM trials WHERE reason LIKE '%🙂%'"
    assert registry.query(sql).to_pylist() == [{"reason": "naïve 🙂 'quoted'"}]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_binary_answers_come_back(filled: Registry, tmp_path: Path, form: str) -> None:
    table = filled.query("SELECT trial, seed, current, [1.5, NULL] AS list FROM trials ORDER BY seed")
    write_answer(tmp_path / "answer", packed(table, form))
    read = pq.read_table if form == "parquet" else feather.read_table
    assert read(tmp_path / "answer").to_pylist() == table.to_pylist()
    assert [path.name for path in tmp_path.iterdir()] == ["answer"]


def test_an_answer_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"nowhere/answer: cannot be written: No such file"):
        write_answer(tmp_path / "nowhere" / "answer", b"x")


def test_the_format_follows_the_file() -> None:
    assert form_of(None, None) == "table"
    assert form_of(None, Path("x.parquet")) == "parquet"
    assert form_of("csv", Path("x.parquet")) == "csv"
    assert form_of(None, Path("x.txt")) == "table"
    with pytest.raises(RegistryError, match='format "xml" is not one of table, csv, json, parquet, arrow'):
        form_of("xml", None)
