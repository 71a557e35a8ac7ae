"""How long the quickstart takes once everything is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]


def measure() -> dict[str, Any]:
    """Wall seconds of `bench run quickstart` into an empty registry, and again with everything cached."""
    with tempfile.TemporaryDirectory() as folder:
        return {"wall_s": _run(folder), "cached_wall_s": _run(folder)}


def _run(folder: str) -> float:
    command = [sys.executable, "-m", "harness.cli", "run", "quickstart", "--registry", folder]
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(PROJECT)})
    return round(time.perf_counter() - begin, 2)
