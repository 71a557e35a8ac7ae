"""Writes spec texts to a folder of their own and loads them against the hand-written catalogue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from specs import Spec, SpecError, SpecErrors, load
from tests.specs.catalogue import CATALOGUE

Loader = Callable[..., Spec]
Faults = Callable[..., list[SpecError]]


def write(folder: Path, text: str | bytes, others: dict[str, str]) -> Path:
    """Write the spec and the files beside it."""
    for name, content in others.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    file = folder / "spec.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


@pytest.fixture
def spec(tmp_path: Path) -> Loader:
    """Loads a text; keyword `others` holds files beside it."""

    def load_text(text: str, others: dict[str, str] | None = None) -> Spec:
        return load(write(tmp_path, text, others or {}), CATALOGUE)

    return load_text


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """The errors of a text, with file names relative to its folder."""
    monkeypatch.chdir(tmp_path)

    def errors_of(text: str | bytes, others: dict[str, str] | None = None) -> list[SpecError]:
        file = write(tmp_path, text, others or {})
        with pytest.raises(SpecErrors) as caught:
            load(file.name, CATALOGUE)
        return caught.value.errors

    return errors_of
