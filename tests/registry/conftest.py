"""A registry of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """An empty registry that waits 5 s at most."""
    return Registry(tmp_path / ".methodbench", timeout=5.0)


@pytest.fixture
def store(registry: Registry) -> Callable[..., Registry]:
    """Writes records through one log and syncs."""

    def stored(*records: Mapping[str, Any]) -> Registry:
        with registry.writer("run-1") as writer:
            for record in records:
                writer.append(record)
        registry.sync()
        return registry

    return stored
