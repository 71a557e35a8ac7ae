"""The history of kernels: what each benchmark took at each commit, from the view `benchmarks`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.site.boards import Cell, Line, View
from reports.text import significant

#: Benchmarks whose names begin so are decisions of a night, not times of a kernel.
DECISIONS = "gate."


@dataclass(frozen=True)
class History:
    """One benchmark on all machines: its table of newest values, and a chart as JSON."""

    name: str
    view: View
    values: list[dict[str, Any]]
    unit: str


def kernel_histories(benchmarks: Sequence[Mapping[str, Any]]) -> list[History]:
    """One history for each benchmark that was ever measured with success, by name."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for row in benchmarks:
        if row["value"] is not None and not row["benchmark"].startswith(DECISIONS):
            by_name.setdefault(row["benchmark"], []).append(row)
    return [_history(name, number, found) for number, (name, found) in enumerate(sorted(by_name.items()))]


def _history(name: str, number: int, found: Sequence[Mapping[str, Any]]) -> History:
    series: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in found:
        series.setdefault((json.dumps(row["params"], sort_keys=True), row["machine"]), []).append(row)
    lines, values = [], []
    for (params, machine), rows in series.items():
        last, before = rows[-1], rows[-2]["value"] if len(rows) > 1 else None
        ratio = last["value"] / before if before else None
        lines.append(
            Line(
                (
                    Cell(params),
                    Cell(machine[:8]),
                    Cell(str(len(rows)), repr(len(rows))),
                    Cell(f"{significant(last['value'])} {last['unit'] or ''}".strip(), repr(last["value"])),
                    Cell("" if ratio is None else f"{ratio:.3f}", "" if ratio is None else repr(ratio)),
                    Cell((last["git_commit"] or "")[:12]),
                )
            )
        )
        values += [
            {
                "series": f"{params} {machine[:8]}",
                "committed": 1000 * (row["committed"] or row["measured"]),
                "commit": (row["git_commit"] or "")[:12],
                "value": row["value"],
                "low": row["low"] if row["low"] is not None else row["value"],
                "high": row["high"] if row["high"] is not None else row["value"],
            }
            for row in rows
        ]
    headings = (
        ("parameters", False),
        ("machine", False),
        ("measured", True),
        ("newest", True),
        ("to the one before", True),
    )
    view = View(f"kernel-{number}", name, (), (*headings, ("commit", False)), tuple(lines), total=len(lines))
    return History(name, view, values, found[-1]["unit"] or "")
