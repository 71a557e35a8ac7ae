"""The registry is found as git finds its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry import find_registry


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    folder = tmp_path / "project" / "a" / "b"
    folder.mkdir(parents=True)
    return folder


def test_the_nearest_registry_above(deep: Path, tmp_path: Path) -> None:
    (tmp_path / "project" / ".methodbench").mkdir()
    (tmp_path / "project" / "a" / ".git").mkdir()
    assert find_registry(deep) == tmp_path / "project" / ".methodbench"
    (deep / ".methodbench").mkdir()
    assert find_registry(deep) == deep / ".methodbench"


@pytest.mark.parametrize("mark", [".git", "pyproject.toml"])
def test_else_the_project_root(deep: Path, tmp_path: Path, mark: str) -> None:
    target = tmp_path / "project" / mark
    target.touch() if "." in mark[1:] else target.mkdir()
    assert find_registry(deep) == tmp_path / "project" / ".methodbench"


def test_else_here(deep: Path) -> None:
    assert find_registry(deep) == deep / ".methodbench"


def test_override_before_variable_before_folders(deep: Path, tmp_path: Path) -> None:
    (deep / ".methodbench").mkdir()
    environ = {"METHODBENCH_REGISTRY": str(tmp_path / "from-variable")}
    assert find_registry(deep, None, environ) == tmp_path / "from-variable"
    assert find_registry(deep, tmp_path / "from-option", environ) == tmp_path / "from-option"
    assert find_registry(deep, None, {"METHODBENCH_REGISTRY": ""}) == deep / ".methodbench"
