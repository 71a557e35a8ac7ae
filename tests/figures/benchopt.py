"""What benchopt costs beside the run: `noop`'s grid of runs that do nothing, as a benchopt benchmark.

benchopt is no dependency: BENCHOPT_PYTHON gives the full path of an interpreter that has it, otherwise this one
is asked.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

SIZES = (100, 500)
#: Workers asked for: benchopt's default, and as many as `noop` has.
JOBS = (1, 2)
HOW = "python -m pip install benchopt==1.10.*"
VERSIONS = """
import importlib.metadata, json, platform
print(json.dumps({"version": importlib.metadata.version("benchopt"), "python": platform.python_version()}))
"""
OBJECTIVE = """
from benchopt import BaseObjective
class Objective(BaseObjective):
    name = "noop"
    sampling_strategy = "run_once"
    def set_data(self, block):
        pass
    def get_objective(self):
        return {}
    def evaluate_result(self, value):
        return {"value": value}
    def get_one_result(self):
        return {"value": 0.0}
"""
DATASET = """
from benchopt import BaseDataset
class Dataset(BaseDataset):
    name = "blocks"
    parameters = {"block": list(range(BLOCKS))}
    def get_data(self):
        return {"block": self.block}
"""
SOLVER = """
from benchopt import BaseSolver
class Solver(BaseSolver):
    name = "nothing"
    parameters = {"index": list(range(10))}
    def set_objective(self):
        pass
    def run(self, stop_val):
        pass
    def get_result(self):
        return {"value": float(self.index)}
"""


def measure(repeats: int = 3) -> dict[str, Any]:
    """Slopes between 100 and 500 runs, wall and CPU per new and wall per cached run, with one worker and with two."""
    versions = _versions()
    if versions is None:
        return {"installed": False, "how": HOW}
    runs = [{(jobs, size): _run(size, jobs) for jobs in JOBS for size in SIZES} for _ in range(repeats)]
    small, large = SIZES
    values: dict[str, Any] = {}
    for jobs in JOBS:
        for key in ("wall", "cpu", "cached"):
            slopes = [(run[jobs, large][key] - run[jobs, small][key]) / (large - small) for run in runs]
            values[f"{key}_ms_per_run_jobs_{jobs}"] = round(statistics.median(slopes) * 1e3, 2)
        walls = [run[jobs, small]["wall"] for run in runs]
        values[f"wall_s_{small}_jobs_{jobs}"] = round(statistics.median(walls), 2)
    return {"installed": True, "how": HOW, **versions, **values, "sizes": list(SIZES), "repeats": repeats}


def _run(size: int, jobs: int) -> dict[str, float]:
    """One benchmark folder: run all, then run again three times with everything cached."""
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder, "noop"), size)
        wall, cpu = _seconds(Path(folder), size, jobs, cached=0)
        cached = statistics.median(_seconds(Path(folder), size, jobs, cached=size)[0] for _ in range(3))
        return {"wall": wall, "cpu": cpu, "cached": cached}


def _seconds(folder: Path, size: int, jobs: int, cached: int) -> tuple[float, float]:
    """Wall and CPU of one `benchopt run`, which must give `size` results, `cached` of them from its cache."""
    output = folder / "results.parquet"
    output.unlink(missing_ok=True)
    command = ["-m", "benchopt", "run", "noop", "--no-plot", "-j", str(jobs), "--output", str(output)]
    begin, cpu = time.perf_counter(), _cpu()
    told = _python(command, folder)
    seconds, cpu = time.perf_counter() - begin, _cpu() - cpu
    assert told.returncode == 0, told.stderr
    assert pq.read_metadata(output).num_rows == size
    assert told.stdout.count("(cached)") == cached
    return seconds, cpu


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _write(benchmark: Path, size: int) -> None:
    """10 solvers, the rest in data sets."""
    for file, text in (("objective", OBJECTIVE), ("datasets/blocks", DATASET), ("solvers/nothing", SOLVER)):
        target = benchmark / f"{file}.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.replace("BLOCKS", str(size // 10)))


def _versions() -> dict[str, str] | None:
    """Versions of benchopt and of the interpreter it is installed in; None where it is not."""
    told = _python(["-c", VERSIONS], Path(tempfile.gettempdir()))
    if "PackageNotFoundError" in told.stderr:
        return None
    assert told.returncode == 0, told.stderr
    versions: dict[str, str] = json.loads(told.stdout)
    return versions


def _python(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the interpreter that has benchopt in `folder`, without settings that benchopt would take from here."""
    interpreter = os.environ.get("BENCHOPT_PYTHON", sys.executable)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BENCHOPT_", "PYTHON"))}
    return subprocess.run(
        [interpreter, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
