"""The site of 200 methods on 50 tasks with 10 seeds: seconds to write it, files and bytes, pages in a browser."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from registry import Registry
from registry.records import POINT, canonical, check
from registry.segments import MAX_RECORDS, Batch
from tests.registry.samples import digest, run
from tests.reports.site.browser import FOUND, opened, started

METHODS, TASKS, SEEDS = 200, 50, 10
METRICS = ("val_accuracy", "train_loss")
STEPS = np.arange(0, 301, 30)
PER_TRIAL = len(METRICS) * len(STEPS)
MODULES = 25
#: How many of the largest pages a browser opens.
LARGEST = 10


def measure(methods: int = METHODS, tasks: int = TASKS, seeds: int = SEEDS) -> dict[str, Any]:
    """Figures of a site over synthetic trials, written in a process that has written none before."""
    from reports.site import write_site

    with tempfile.TemporaryDirectory() as name:
        registry, out = Registry(Path(name) / "registry"), Path(name) / "site"
        fill(registry, methods, tasks, seeds)
        registry.sync()
        begin, spent = time.perf_counter(), time.process_time()
        write_site(registry, out)
        seconds, cpu = time.perf_counter() - begin, time.process_time() - spent
        sizes = {path.relative_to(out).as_posix(): path.stat().st_size for path in out.rglob("*") if path.is_file()}
        pages = {path: size for path, size in sizes.items() if path.endswith(".html")}
        shown = seen(out, sorted(pages, key=lambda page: pages[page])[-LARGEST:])
    return {
        "trials": methods * tasks * seeds,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "files": len(sizes),
        "megabytes": round(sum(sizes.values()) / 1e6, 1),
        "pages": len(pages),
        "largest_page_kilobytes": round(max(pages.values()) / 1e3),
        "largest_shard_kilobytes": round(max(size for path, size in sizes.items() if "/trials-" in f"/{path}") / 1e3),
        **shown,
    }


def seen(out: Path, pages: list[str]) -> dict[str, Any]:
    """Milliseconds until a browser has made the slowest of these pages usable, and shows a trial; empty without one."""
    if not FOUND:
        return {}
    ready: dict[str, float] = {}
    with started() as browser:
        for page in pages:
            with opened(browser, (out / page).as_uri()) as shown:
                ready[page] = shown.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        begin = time.perf_counter()
        with opened(browser, f"{(out / 'trial.html').as_uri()}#{digest('7 3 5')}") as shown:
            shown.locator("#trial h2").wait_for()
            trial = time.perf_counter() - begin
    slowest = max(ready, key=lambda page: ready[page])
    return {"slowest_page": slowest, "slowest_page_ms": round(ready[slowest]), "trial_page_ms": round(1e3 * trial)}


def fill(registry: Registry, methods: int, tasks: int, seeds: int) -> None:
    """One run that planned every method on every task, and its trials, as sealing would write them."""
    generator = np.random.default_rng(0)
    cells = [(method, task) for task in range(tasks) for method in range(methods)]
    per_segment = MAX_RECORDS // seeds
    for first in range(0, len(cells), per_segment):
        chosen = cells[first : first + per_segment]
        batch = _Bulk(generator, np.array([_quality(*cell) for cell in chosen for _ in range(seeds)]))
        for method, task in chosen:
            for seed in range(seeds):
                record = check(_trial(method, task, seed))
                batch.add(canonical(record), record)
        batch.write(registry.folder)
    with registry.writer("run-1") as writer:
        writer.append(_run(cells, seeds))


def _quality(method: int, task: int) -> float:
    return 0.5 + 0.4 * ((37 * method + 11 * task) % 199) / 199


def _trial(method: int, task: int, seed: int) -> dict[str, Any]:
    key, modules = f"{method} {task}", {f"harness.parts.part_{n}": digest(str(n))[:16] for n in range(MODULES)}
    params = {"lr": 0.001 * (method + 1), "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01}
    return {
        "kind": "trial",
        "schema": 1,
        "run": "run-1",
        "machine": "3c" * 8,
        "started": 1_000.0 + seed,
        "environment": {"cpu": "some cpu", "cores": 2, "python": "3.11.7"},
        "trial": digest(f"{key} {seed}"),
        "fingerprint": digest(key),
        "status": "ok",
        "reason": "",
        "seconds": 0.5 + method / 400,
        "total_seconds": 1.0,
        "cpu_seconds": 0.5 + method / 400,
        "peak_bytes": 1 << 28,
        "state_bytes": 64,
        "contended": False,
        "identity": {
            "task": {"name": f"task-{task}", "version": 1, "params": {"width": 64, "depth": 30}},
            "slots": {"optimizer": {"name": f"method-{method}", "version": 1, "params": params}},
            "seed": seed,
            "budget": {"steps": 300},
            "backend": "reference",
            "threads": 1,
            "dtype": "float32",
            "cadence": 30,
        },
        "modules": modules | {f"harness.methods.optimizer.method_{method}": digest(f"m{method}")[:16]},
        "libraries": {"numpy": "2.4.6", "torch": "2.13.0"},
        "data": {"digits": "2d" * 8},
        "counters": {"forwards": 300, "samples": 19_200},
        "log": f"training method-{method} on task-{task} with seed {seed}\n",
        "points": [],
    }


def _run(cells: list[tuple[int, int]], seeds: int) -> dict[str, Any]:
    metrics = [
        {"name": "val_accuracy", "direction": "max", "unit": "1", "help": "share of right labels"},
        {"name": "train_loss", "direction": "min", "unit": "nat", "help": "loss of the last batch"},
    ]
    plan = [
        {
            "trial": digest(f"{method} {task} {seed}"),
            "fingerprint": digest(f"{method} {task}"),
            "method": f"method-{method}",
            "task": f"task-{task}",
            "seed": seed,
        }
        for method, task in cells
        for seed in range(seeds)
    ]
    described = {
        f"task-{task}": {
            "key": f"task-{task}",
            "title": "A task made up for measuring",
            "summary": "Nothing is trained.",
            "metrics": metrics,
            "varies": ["init"],
            "target": {"metric": "val_accuracy", "value": 0.7},
        }
        for task in {task for _, task in cells}
    }
    components = {
        f"method-{method}": {"optimizer": {"key": f"method-{method}", "title": "A method made up", "params": []}}
        for method in {method for method, _ in cells}
    }
    return run([], spec="scale", title="As many as fit", plan=plan, tasks=described, components=components)


class _Bulk(Batch):
    """A batch whose points come from NumPy: dicts of two million points would take longer than what is measured."""

    def __init__(self, generator: np.random.Generator, quality: np.ndarray) -> None:
        super().__init__()
        self.generator, self.quality = generator, quality

    def table(self) -> pa.Table:
        trials, self.points = len(self), [[] for _ in range(len(self))]
        table = super().table()
        rise = 1 - np.exp(-STEPS / 60)
        noise = 0.01 * self.generator.standard_normal((trials, len(STEPS), len(METRICS)))
        curve = self.quality[:, None] * rise[None, :]
        values = np.stack([curve, 2 - 2 * curve], axis=2) + noise
        steps = np.tile(np.repeat(STEPS, len(METRICS)), trials)
        columns = {
            "metric": pa.array(np.tile(np.array(METRICS), trials * len(STEPS))),
            "step": pa.array(steps),
            "value": pa.array(values.ravel()),
            "seconds": pa.array(steps / 600),
            "nfe": pa.array(steps),
            "bits": pa.array(np.zeros(len(steps), np.int64)),
        }
        offsets = pa.array(np.arange(trials + 1, dtype=np.int32) * PER_TRIAL)
        lists = pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(list(columns.values()), list(POINT)))
        return table.set_column(table.column_names.index("points"), "points", lists)
