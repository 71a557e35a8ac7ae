"""Unquoted scalars mean what the core schema of YAML 1.2 says; integers with a leading zero stay text."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml

from specs import yaml_source
from specs.errors import Problems
from specs.nodes import plain
from specs.scalars import resolve

TABLE: list[tuple[str, Any]] = [
    *[(text, None) for text in ("", "~", "null", "Null", "NULL")],
    *[(text, True) for text in ("true", "True", "TRUE")],
    *[(text, False) for text in ("false", "False", "FALSE")],
    *[(text, text) for text in ("yes", "no", "on", "off", "Yes", "NO", "y", "n", "tRUE", "nULL")],
    ("0", 0), ("-0", 0), ("7", 7), ("+7", 7), ("-19", -19), ("0o17", 15), ("0x1F", 31), ("0xff", 255),
    *[(text, text) for text in ("012", "-012", "00", "0o18", "0x", "0b11", "1_000", "1,000", "-0x1F", "0O7")],
    ("1e-4", 1e-4), ("1E5", 1e5), ("1.5", 1.5), (".5", 0.5), ("-.5", -0.5), ("5.", 5.0), ("+1.5e+3", 1500.0),
    ("-1e3", -1000.0), ("01.5", 1.5), (".5e1", 5.0), ("0.", 0.0), ("1e400", math.inf),
    (".inf", math.inf), ("-.INF", -math.inf), ("+.Inf", math.inf),
    *[(text, text) for text in ("inf", "nan", "Infinity", ".iNf", "-.nan", "e5", "1e", "1e+", ".", "-", "+", "1.2.3")],
    *[(text, text) for text in ("2001-12-14", "2001-12-14t21:59:43.10-05:00", "12:30:45", "190:20:30.15", "1.5.")],
    ("9" * 100, int("9" * 100)), ("9" * 101, "9" * 101), ("1" * 5000, "1" * 5000), ("<<", "<<"), ("=", "="),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), TABLE, ids=[text[:30] or "empty" for text, _ in TABLE])
def test_table(text: str, value: Any) -> None:
    found = resolve(text)
    assert type(found) is type(value)
    assert found == value


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_not_a_number(text: str) -> None:
    found = resolve(text)
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize("style", ["'{}'", '"{}"', "|-\n  {}", ">-\n  {}"])
@pytest.mark.parametrize("text", ["1", "true", "null", "1e-4", ""])
def test_quoted_and_block_scalars_are_text(style: str, text: str) -> None:
    node = yaml_source.parse("a: " + style.format(text), "f", Problems("f"))
    assert node is not None
    assert plain(node) == {"a": text}


def test_the_slow_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x [1e-4, no, {b: 'c'}]\nd: *x\n? e\n: |\n  two\n  lines\n012: yes\n"
    fast = yaml_source.parse(text, "f", Problems("f"))
    monkeypatch.setattr(yaml_source, "_Parser", yaml.SafeLoader)
    assert yaml_source.parse(text, "f", Problems("f")) == fast
    assert fast is not None
    assert plain(fast)["012"] == "yes"
