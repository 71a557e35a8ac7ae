"""Ten million metric rows: how fast they come in, how fast they answer, how much room they take; sqlite beside it."""

from __future__ import annotations

import importlib.util
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from registry import Registry
from registry.records import POINT, canonical, check
from registry.segments import Batch
from tests.registry.samples import digest, point, trial

ROWS = 10_000_000
METRICS = ("loss", "accuracy", "grad_norm", "update_norm", "held_out_loss")
STEPS = 200
PER_TRIAL = len(METRICS) * STEPS
METHODS = 50
#: Over every row, and the same numbers from the table of final values.
OVER_ROWS = "SELECT metric, {group}, count(*), avg(value), min(value), max(value) FROM curves GROUP BY ALL"
OVER_FINALS = "SELECT metric, {group}, count(*), median(value), min(value), max(value) FROM metrics GROUP BY ALL"


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
            "append_ms_per_trial": round(_append(registry) * 1e3, 3),
            **_sqlite(registry, Path(name) / "other.sqlite", rows),
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
    identity = {**trial(number)["identity"], "task": {"name": f"task-{number % METHODS}", "version": 1, "params": {}}}
    return trial(number, identity=identity, points=[])


class _Bulk(Batch):
    """A batch whose points come from NumPy: dicts of ten million points would take minutes."""

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__()
        self.generator = generator

    def _table(self, arrow: Any) -> Any:
        trials, self.points = len(self), [[] for _ in range(len(self))]
        table = super()._table(arrow)
        metrics = np.tile(np.arange(len(METRICS)), STEPS)  # as recorded: all metrics of a step, then the next step
        steps = np.repeat(np.arange(STEPS) * 10, len(METRICS))
        count = trials * PER_TRIAL
        noise = 1 + 0.1 * self.generator.standard_normal(count)
        passed = np.cumsum(self.generator.uniform(0.8e-3, 1.2e-3, (trials, STEPS)), axis=1)
        columns = {
            "metric": pa.DictionaryArray.from_arrays(np.tile(metrics, trials).astype(np.int8), METRICS).cast(pa.string()),
            "step": pa.array(np.tile(steps, trials)),
            "value": pa.array(np.exp(-np.tile(steps, trials) / 500) * noise),
            "seconds": pa.array(np.repeat(passed, len(METRICS), axis=1).ravel()),
            "nfe": pa.array(np.tile(steps, trials)),
            "bits": pa.array(np.zeros(count, np.int64)),
        }
        offsets = pa.array(np.arange(trials + 1, dtype=np.int32) * PER_TRIAL)
        lists = pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(list(columns.values()), list(POINT)))
        return table.set_column(table.column_names.index("points"), "points", lists)


def _ours(registry: Registry, rows: int) -> dict[str, Any]:
    begin = time.perf_counter()
    registry.sync()
    seconds = time.perf_counter() - begin
    with registry.reading() as connection:
        assert connection.execute("SELECT count(*) FROM curves").fetchone() == (rows,)
        over_rows = _median(lambda: connection.execute(OVER_ROWS.format(group="task")).fetchall())
        over_finals = _median(lambda: connection.execute(OVER_FINALS.format(group="task")).fetchall())
    size = registry.info()["bytes"]
    return {
        "ingest_rows_per_s": round(rows / seconds),
        "leaderboard_all_rows_ms": round(over_rows * 1e3, 1),
        "leaderboard_summary_ms": round(over_finals * 1e3, 1),
        "index_bytes_per_row": round(size["index"] / rows, 2),
        "segment_bytes_per_row": round(size["segments"] / rows, 2),
    }


def _rebuilt(registry: Registry) -> dict[str, Any]:
    """Seconds of a rebuild from segments under other names, in another order; does it give the same rows?"""
    before = _contents(registry)
    for number, path in enumerate(random.Random(0).sample(sorted(registry.folder.lake(1).iterdir()), k=10**9)):
        path.rename(path.with_name(f"{number:06}-{path.name}"))
    begin = time.perf_counter()
    registry.rebuild()
    return {"rebuild_s": round(time.perf_counter() - begin, 2), "rebuilt_equal": _contents(registry) == before}
