"""Reports start fast: nothing heavy is loaded before it is needed, torch never."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "numba", "scipy", "duckdb", "pyarrow", "numpy", "rich", "pydantic")
MODULES = (
    *("reports", "reports.results", "reports.leaderboard", "reports.compare", "reports.tables", "reports.machine"),
    *(
        "reports.aggregate",
        "reports.claim_board",
        "reports.effects",
        "reports.pareto",
        "reports.profile",
        "reports.ranks",
    ),
)


def loaded(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*(m for m in {HEAVY!r} if m in sys.modules))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return set(out.split())


def test_importing_the_room_loads_no_heavy_library() -> None:
    assert loaded("\n".join(f"import {module}" for module in MODULES)) == set()


def test_a_terminal_leaderboard_needs_rich_alone_and_csv_nothing() -> None:
    code = "from reports.leaderboard import leaderboards, render\nfrom tests.reports.example import realistic\n"
    assert loaded(code + "render(leaderboards(realistic()), 'csv')") == set()
    assert loaded(code + "render(leaderboards(realistic()), 'terminal')") == {"rich"}
