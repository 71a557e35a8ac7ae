"""One site for all tests that only read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.site import write_site
from tests.reports.site.browser import started
from tests.reports.site.example import filled_registry

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site about the hostile example."""
    folder = tmp_path_factory.mktemp("site")
    write_site(filled_registry(folder / "registry"), folder / "out")
    return folder / "out"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all pages."""
    with started() as browser:
        yield browser
