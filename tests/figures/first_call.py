"""What a kernel costs before its first answer: importing the room, compiling, and loading compiled code."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from kernels.core.listing import kernel_names

CALL = """
import time, torch
import numba.np.arraymath  # the fork server of the engine has it
begin = time.perf_counter()
from kernels.{name} import KERNEL
arguments = KERNEL.example(8, KERNEL.dtypes[0], torch.Generator().manual_seed(0))
imported = time.perf_counter()
KERNEL.run("cpu", arguments)
print(imported - begin, time.perf_counter() - imported)
"""
LIGHT = "import sys, kernels; print(sum(name in sys.modules for name in ('torch', 'numba', 'numpy')))"


def measure() -> dict[str, Any]:
    """Seconds of the first call of each kernel in a new process, compiled and from the cache."""
    compiled, cached = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name in kernel_names():
            compiled[name] = _first_call(name, folder)
            cached[name] = min(_first_call(name, folder) for _ in range(3))
    return {
        "heavy_packages_that_import_kernels_loads": int(_python(LIGHT)),
        "first_call_from_cache_s_max": round(max(cached.values()), 4),
        "first_call_from_cache_s_median": round(statistics.median(cached.values()), 4),
        "first_call_compiling_s_max": round(max(compiled.values()), 2),
        "slowest_from_cache": max(cached, key=lambda name: cached[name]),
        "kernels": len(cached),
    }


def _first_call(name: str, cache: str) -> float:
    return float(_python(CALL.format(name=name), NUMBA_CACHE_DIR=cache).split()[1])


def _python(code: str, **environment: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True).stdout
