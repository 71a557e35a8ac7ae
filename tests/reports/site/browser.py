"""Chromium without a window: what a script inside a page tells of it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
    "--virtual-time-budget=20000",
)  # fmt: skip
DARK = "--blink-settings=preferredColorScheme=0"

needs_browser = [
    pytest.mark.full,
    pytest.mark.skipif(BROWSER is None, reason="no chromium and no google-chrome on the path"),
]


def with_scripts(site: Path, folder: Path, *scripts: Path) -> Path:
    """A copy of a site in which every page also runs some scripts, in their order."""
    shutil.copytree(site, folder)
    for script in scripts:
        shutil.copyfile(script, folder / "assets" / script.name)
    for page in folder.rglob("*.html"):
        root = "../" * (len(page.relative_to(folder).parts) - 1)
        added = "".join(f'<script src="{root}assets/{script.name}" defer></script>' for script in scripts)
        page.write_text(page.read_text().replace("</head>", f"{added}</head>"))
    return folder


def look(page: str, profile: Path, *options: str, size: str = "1200,900") -> dict[str, Any]:
    """What the script of a page tells in its `<pre id="told">`; fails on anything in the browser's console."""
    sizes = (f"--window-size={size}", f"--user-data-dir={profile}")
    command = [str(BROWSER), *OPTIONS, *sizes, *options, "--dump-dom", page]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not console, console
    found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:]
    told: dict[str, Any] = json.loads(html.unescape(found[1]))
    assert told["errors"] == []
    assert all(name.startswith(("file:", "data:")) for name in told["resources"]), told["resources"]
    return told
