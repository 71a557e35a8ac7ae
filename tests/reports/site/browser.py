"""Chromium without a window: what a script inside a page tells of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
#: Whether pages can be looked at: the extra `oracles` brings playwright, the system its browser.
FOUND = CHROMIUM is not None and find_spec("playwright") is not None

needs_browser = [
    pytest.mark.full,
    pytest.mark.skipif(not FOUND, reason="no playwright, or no chromium and no google-chrome on the path"),
]


@contextmanager
def started() -> Iterator[Browser]:
    """The installed Chromium, until the `with` ends."""
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as browser,
    ):
        yield browser


@contextmanager
def opened(browser: Browser, page: str, size: tuple[int, int] = (1200, 900), dark: bool = False) -> Iterator[Page]:
    """A page with a profile of its own; afterwards fails on anything in the console and on any request elsewhere."""
    width, height = size
    scheme = "dark" if dark else "light"
    with browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme) as context:
        shown = context.new_page()
        said: list[str] = []
        asked: list[str] = []
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto(page)
        yield shown
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def look(browser: Browser, page: str, size: tuple[int, int] = (1200, 900), dark: bool = False) -> dict[str, Any]:
    """What the script of a page tells in its `<pre id="told">`."""
    with opened(browser, page, size, dark) as shown:
        told: dict[str, Any] = json.loads(shown.locator("#told").text_content(timeout=60_000) or "")
        return told


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
