"""Whatever the bytes of a spec, reading it gives a spec or SpecErrors, in bounded time."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specs import SpecErrors, load, plugins_of, yaml_source
from tests.specs.catalogue import CATALOGUE
from tests.specs.texts import RICH

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = [
    *("name", "title", "extends", "methods", "tasks", "seeds", "budget", "tuning", "claims", "plugins"),
    *(
        "optimizer",
        "init",
        "sampler",
        "adamw",
        "sgd",
        "ema",
        "kaiming",
        "heun",
        "base",
        "lr",
        "betas",
        "grid",
        "log",
        "n",
    ),
    *("space", "metric", "effect", "id", "text", "spec.yaml", "depth-train", "gauss-aniso", "null", ".inf", "1e-4"),
]
PIECES = st.sampled_from(
    [*WORDS, *"{}[],:&*!|>'\"#%@-?\n\t ", ": ", "- ", "\n  ", "\n    ", "&a ", "*a ", "<<: ", "---\n", "é", "\u2028"]
)


def scalars() -> st.SearchStrategy[Any]:
    """Values that a YAML scalar may have, and words of the language."""
    numbers = st.integers() | st.floats() | st.booleans() | st.none()
    return st.sampled_from(WORDS) | numbers | st.text(string.printable, max_size=8)


def trees() -> st.SearchStrategy[Any]:
    """Data shaped like a spec, more or less."""
    keys = st.sampled_from(WORDS) | st.text(string.ascii_letters, min_size=1, max_size=4)
    return st.recursive(
        scalars(), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=25
    )


def survives(file: Path, content: bytes) -> None:
    """Load bytes; every error must name a place inside the file and say something in our own words."""
    file.write_bytes(content)
    for read in (lambda: load(file, CATALOGUE), lambda: plugins_of(file)):
        try:
            read()
        except SpecErrors as caught:
            errors = caught.errors
        else:
            continue
        assert errors
        for error in errors:
            assert str(error).isprintable()
            assert len(str(error)) < 2000
            assert error.expected
            assert "Input should" not in str(error)
            assert (error.line >= 1 and error.column >= 1) or error.line == 0


@FUZZ
@given(st.binary(max_size=200))
def test_bytes(tmp_path: Path, content: bytes) -> None:
    survives(tmp_path / "spec.yaml", content)


@FUZZ
@given(st.lists(PIECES, max_size=40).map("".join))
def test_yaml_like_text(tmp_path: Path, text: str) -> None:
    survives(tmp_path / "spec.yaml", text.encode())


@FUZZ
@given(st.dictionaries(st.sampled_from(WORDS[:10]), trees(), max_size=8))
def test_spec_like_data(tmp_path: Path, data: dict[str, Any]) -> None:
    text = yaml.safe_dump(data, allow_unicode=True)
    survives(tmp_path / "spec.yaml", text.encode())


@FUZZ
@given(st.integers(0, len(RICH)), st.integers(0, 30), st.lists(PIECES, max_size=3).map("".join))
def test_a_piece_of_a_valid_spec_replaced(tmp_path: Path, start: int, length: int, piece: str) -> None:
    survives(tmp_path / "spec.yaml", (RICH[:start] + piece + RICH[start + length :]).encode())


@settings(FUZZ, max_examples=40)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_the_slow_parser_survives_too(tmp_path: Path, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_source, "_Parser", yaml.SafeLoader)
        survives(tmp_path / "spec.yaml", text.encode())
