"""Ten million metric rows: how fast they come in, how fast they answer, how much room they take; sqlite beside it."""

from __future__ import annotations

import importlib.util
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from registry import Registry
from registry.records import POINT, canonical, check
from registry.segments import Batch
from tests.registry.samples import trial

ROWS = 10_000_000
METRICS = ("loss", "accuracy", "grad_norm", "update_norm", "held_out_loss")
STEPS = 200
PER_TRIAL = len(METRICS) * STEPS
TASKS = 50
#: A leaderboard from every row, from the table of final values, and every metric at once.
LEADERS = "SELECT task, count(*), avg(value), min(value), max(value) FROM curves WHERE metric = 'loss' GROUP BY task"
FINALS = LEADERS.replace("curves", "metrics")
ALL_METRICS = "SELECT metric, task, count(*), avg(value), min(value), max(value) FROM curves GROUP BY metric, task"
APPENDED = 5_000


def measure(rows: int = ROWS) -> dict[str, Any]:
    """Rates, seconds and sizes; the same rows and questions for sqlite of the standard library."""
    with tempfile.TemporaryDirectory() as name:
        registry = Registry(Path(name) / "registry")
        fill(registry, rows // PER_TRIAL)
        return {
            "metric_rows": rows,
            "trials": rows // PER_TRIAL,
            **_ours(registry, rows),
            **_rebuilt(registry),
            "append_ms_per_trial": round(_append(Registry(Path(name) / "appended")) * 1e3, 3),
            **_sqlite(registry, Path(name) / "other.sqlite"),
            "mlflow_installed": importlib.util.find_spec("mlflow") is not None,
        }


def fill(registry: Registry, trials: int) -> None:
    """Segments of trials with `PER_TRIAL` points each, as sealing would write them; the values do not compress."""
    generator, per_segment = np.random.default_rng(0), 200
    for first in range(0, trials, per_segment):
        batch = _Bulk(generator)
        for number in range(first, min(first + per_segment, trials)):
            record = check(_asked(number))
            batch.add(canonical(record), record)
        batch.points = [range(PER_TRIAL)] * len(batch)  # type: ignore[list-item]  # only their number counts
        batch.write(registry.folder)


def _asked(number: int) -> dict[str, Any]:
    identity = {**trial(number)["identity"], "task": {"name": f"task-{number % TASKS}", "version": 1, "params": {}}}
    return trial(number, identity=identity, points=[])


class _Bulk(Batch):
    """A batch whose points come from NumPy: dicts of ten million points would take minutes."""

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__()
        self.generator = generator

    def table(self) -> pa.Table:
        trials, self.points = len(self), [[] for _ in range(len(self))]
        table = super().table()
        metrics = np.tile(np.arange(len(METRICS)), STEPS)  # as recorded: all metrics of a step, then the next step
        steps = np.repeat(np.arange(STEPS) * 10, len(METRICS))
        count = trials * PER_TRIAL
        noise = 1 + 0.1 * self.generator.standard_normal(count)
        passed = np.cumsum(self.generator.uniform(0.8e-3, 1.2e-3, (trials, STEPS)), axis=1)
        columns = {
            "metric": pa.DictionaryArray.from_arrays(np.tile(metrics, trials).astype(np.int8), METRICS).cast(
                pa.string()
            ),
            "step": pa.array(np.tile(steps, trials)),
            "value": pa.array(np.exp(-np.tile(steps, trials) / 500) * noise),
            "seconds": pa.array(np.repeat(passed, len(METRICS), axis=1).ravel() + np.tile(metrics, trials) * 3.1e-6),
            "nfe": pa.array(np.tile(steps, trials)),
            "bits": pa.array(np.zeros(count, np.int64)),
        }
        offsets = pa.array(np.arange(trials + 1, dtype=np.int32) * PER_TRIAL)
        lists = pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(list(columns.values()), list(POINT)))
        return table.set_column(table.column_names.index("points"), "points", lists)


def _ours(registry: Registry, rows: int) -> dict[str, Any]:
    asked = {"leaderboard_all_rows": LEADERS, "leaderboard_summary": FINALS, "every_metric_all_rows": ALL_METRICS}
    begin, cpu = time.perf_counter(), time.process_time()
    registry.sync()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    with registry.reading() as connection:
        assert connection.execute("SELECT count(*) FROM curves").fetchone() == (rows,)
        times = {name: _times(lambda sql=sql: connection.execute(sql).fetchall()) for name, sql in asked.items()}
    size = registry.info()["bytes"]
    return {
        "ingest_rows_per_s": round(rows / seconds),
        "ingest_cpu_us_per_row": round(cpu / rows * 1e6, 2),
        **{f"{name}_ms": round(statistics.median(some) * 1e3, 1) for name, some in times.items()},
        **{f"{name}_least_ms": round(min(some) * 1e3, 1) for name, some in times.items()},
        "index_bytes_per_row": round(size["index"] / rows, 2),
        "segment_bytes_per_row": round(size["segments"] / rows, 2),
    }


def _rebuilt(registry: Registry) -> dict[str, Any]:
    """Seconds of a rebuild from segments under other names, in another order; does it give the same rows?"""
    before = _contents(registry)
    paths = sorted(registry.folder.lake(1).iterdir())
    random.Random(0).shuffle(paths)
    for number, path in enumerate(paths):
        path.rename(path.with_name(f"{number:06}-{path.name}"))
    begin = time.perf_counter()
    registry.rebuild()
    return {"rebuild_s": round(time.perf_counter() - begin, 2), "rebuilt_equal": _contents(registry) == before}


def _contents(registry: Registry) -> list[tuple[Any, ...]]:
    """Count and sum of row hashes of each view: equal for equal multisets of rows."""
    sums = "SELECT count(*), sum(hash(v)::HUGEINT) FROM {} v"
    with registry.reading() as connection:
        return [
            connection.execute(sums.format(view)).fetchone() or () for view in ("trials", "metrics", "curves", "runs")
        ]


def _append(registry: Registry) -> float:
    """Seconds that appending one finished trial takes, with a sync of the log every 64."""
    records = [trial(number) for number in range(APPENDED)]
    with registry.writer("run-1") as writer:
        begin = time.perf_counter()
        for record in records:
            writer.append(record)
        return (time.perf_counter() - begin) / APPENDED


def _sqlite(registry: Registry, file: Path) -> dict[str, Any]:
    """The same rows in one table of sqlite, loaded in a transaction per 200,000, and the same two questions."""
    with registry.reading() as connection, sqlite3.connect(file) as other:
        other.execute("PRAGMA journal_mode = WAL")
        _copied(connection, other, "trial", ["number", "task"])
        rows, seconds = _copied(
            connection, other, "point", ["number", "metric", "step", "value", "seconds", "nfe", "bits"]
        )
        size = file.stat().st_size
        _copied(connection, other, "final", ["number", "metric", "value"])
        for view, table in (("curves", "point"), ("metrics", "final")):
            other.execute(f"CREATE VIEW {view} AS SELECT * FROM {table} JOIN trial USING (number)")
        over_rows = statistics.median(_times(lambda: other.execute(LEADERS).fetchall(), 1))
        over_finals = statistics.median(_times(lambda: other.execute(FINALS).fetchall()))
    return {
        "sqlite_insert_rows_per_s": round(rows / seconds),
        "sqlite_leaderboard_all_rows_ms": round(over_rows * 1e3),
        "sqlite_leaderboard_summary_ms": round(over_finals * 1e3, 1),
        "sqlite_bytes_per_row": round(size / rows, 1),
    }


def _copied(connection: Any, other: sqlite3.Connection, table: str, columns: list[str]) -> tuple[int, float]:
    """Rows copied, and the seconds that sqlite took for them."""
    other.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
    result = connection.execute(f"SELECT {', '.join(columns)} FROM store.{table}")
    count, seconds = 0, 0.0
    while rows := result.fetchmany(200_000):
        begin = time.perf_counter()
        other.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)
        other.commit()
        count, seconds = count + len(rows), seconds + time.perf_counter() - begin
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return count, seconds


def _times(ask: Callable[[], object], repeats: int = 9) -> list[float]:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        ask()
        times.append(time.perf_counter() - begin)
    return times
