"""A project folder of one's own, with specs that use the fixtures' plugins."""

from __future__ import annotations

from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a registry of its own; the current folder for the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("METHODBENCH_REGISTRY", raising=False)
    (tmp_path / ".methodbench").mkdir()
    return tmp_path


def write_spec(folder: Path, plugin: str, methods: str, tasks: str, rest: str = "seeds: 2") -> Path:
    """A spec with one of the fixtures' plugins, copied beside it."""
    (folder / plugin).write_text((FIXTURES / plugin).read_text())
    file = folder / "spec.yaml"
    file.write_text(f"name: trial-run\nplugins: [{plugin}]\nmethods:\n{methods}\ntasks: {tasks}\n{rest}\n")
    return file
