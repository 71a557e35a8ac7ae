"""How long the quickstart takes once everything is installed."""

from __future__ import annotations

import tempfile
import time
from typing import Any

from tests.scratch import printed


def measure() -> dict[str, Any]:
    """Wall seconds of `bench run quickstart` into an empty registry, and again with everything cached."""
    with tempfile.TemporaryDirectory() as folder:
        return {"wall_s": _run(folder), "cached_wall_s": _run(folder)}


def _run(folder: str) -> float:
    begin = time.perf_counter()
    printed("run", "quickstart", "--registry", folder)
    return round(time.perf_counter() - begin, 2)
