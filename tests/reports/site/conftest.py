"""One site for all tests that only read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.site import write_site
from tests.reports.site.example import filled_registry


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site about the hostile example."""
    folder = tmp_path_factory.mktemp("site")
    write_site(filled_registry(folder / "registry"), folder / "out")
    return folder / "out"
