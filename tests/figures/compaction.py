"""A thousand small segments, some records dropped, made few: seconds and sizes, and those of exports beside it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from registry import Registry
from registry.records import canonical, check
from registry.segments import Batch
from registry.tombstones import Selection
from tests.registry.samples import digest, point, trial

SEGMENTS, PER_SEGMENT, POINTS = 1_000, 20, 50


def measure(segments: int = SEGMENTS) -> dict[str, Any]:
    """Seconds of each step, and bytes of the lake before and after."""
    with tempfile.TemporaryDirectory() as name:
        registry, other = Registry(Path(name) / "registry"), Registry(Path(name) / "other")
        fill(registry, segments)
        registry.sync()
        before = registry.info()["bytes"]["segments"]
        chosen = registry.select(Selection(trials=[digest(f"trial {n}") for n in range(0, segments, 10)]))
        drop = _seconds(lambda: registry.drop(chosen, "", "3c" * 8))
        compact = _seconds(registry.compact)
        info = registry.info()
        send = _seconds(lambda: registry.send(Path(name) / "parcel.parquet"))
        receive = _seconds(lambda: other.receive(Path(name) / "parcel.parquet"))
        bundle = _seconds(lambda: registry.bundle(Path(name) / "results.duckdb"))
        assert other.info()["trials"] == info["trials"] == segments * PER_SEGMENT - len(chosen)
        return {
            "records": segments * PER_SEGMENT,
            "points_per_record": POINTS,
            "segments_before": segments,
            "segments_after": info["segments"],
            "bytes_before": before,
            "bytes_after": info["bytes"]["segments"],
            "dropped": len(chosen),
            "drop_seconds": drop,
            "compact_seconds": compact,
            "export_seconds": send,
            "export_bytes": (Path(name) / "parcel.parquet").stat().st_size,
            "import_seconds": receive,
            "bundle_seconds": bundle,
            "bundle_bytes": (Path(name) / "results.duckdb").stat().st_size,
        }


def fill(registry: Registry, segments: int) -> None:
    """Segments as sealing many short runs would write them."""
    for first in range(0, segments * PER_SEGMENT, PER_SEGMENT):
        batch = Batch()
        for number in range(first, first + PER_SEGMENT):
            points = [point("loss", step, 1 / (1 + step + number)) for step in range(POINTS)]
            record = check(trial(number, points=points))
            batch.add(canonical(record), record)
        batch.write(registry.folder)


def _seconds(act: Callable[[], object]) -> float:
    begin = time.perf_counter()
    act()
    return round(time.perf_counter() - begin, 2)
