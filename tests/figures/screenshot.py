"""The picture of the README: the leaderboards of the quickstart on their page, as a browser shows them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.reports.site.browser import FOUND, opened, started

PROJECT = Path(__file__).parents[2]
PICTURE = PROJECT / "docs" / "images" / "leaderboard.png"
WIDTH, HEIGHT = 1280, 1130


def measure(registry: Path | None = None) -> dict[str, Any]:
    """Run the quickstart, write its site, photograph it; a registry that holds the run saves the minute."""
    if not FOUND:
        return {"installed": False}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = str(registry or folder / "registry")
        if registry is None:
            _bench("run", "quickstart", "--exclusive", "--registry", store)
        _bench("report", "quickstart", "--registry", store, "--out", str(folder / "site"))
        PICTURE.parent.mkdir(exist_ok=True)
        page = (folder / "site" / "specs" / "quickstart.html").as_uri()
        with started() as browser, opened(browser, page, (WIDTH, HEIGHT)) as shown:
            shown.screenshot(path=PICTURE)
    return {"kilobytes": round(PICTURE.stat().st_size / 1e3), "pixels": [WIDTH, HEIGHT]}


def _bench(*words: str) -> None:
    bench = Path(sys.executable).with_name("bench")
    subprocess.run([bench, *words], check=True, capture_output=True, cwd=PROJECT)
