"""YAML is read with positions, within bounds, and what is not plain YAML is told at its token."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from specs import SpecErrors, load
from specs.errors import Problems
from specs.files import MOST_BYTES
from specs.nodes import ListNode, MapNode, Node
from specs.yaml_source import MOST_DEPTH, MOST_NODES, parse
from tests.specs.catalogue import CATALOGUE
from tests.specs.conftest import Faults


def at(node: Node | None, *path: str | int) -> tuple[int, int]:
    """Line and column of the value at `path`."""
    for part in path:
        if isinstance(node, MapNode):
            node = node.get(str(part))
        else:
            assert isinstance(node, ListNode)
            node = node.items[int(part)]
    assert node is not None
    return node.line, node.column


def test_positions_of_keys_and_values() -> None:
    text = "# first\na: 1\nbé:\n  - {c: x, d: [10, 20]}\n  - 'q'\ne:   # nothing\nf: |\n  block\n"
    root = parse(text, "f", Problems("f"))
    assert isinstance(root, MapNode)
    places = {key: (token.line, token.column) for key, (token, _) in root.entries.items()}
    assert places == {"a": (2, 1), "bé": (3, 1), "e": (6, 1), "f": (7, 1)}
    assert at(root, "a") == (2, 4)
    assert at(root, "bé") == (4, 3)
    assert at(root, "bé", 0, "c") == (4, 9)
    assert at(root, "bé", 0, "d", 1) == (4, 20)
    assert at(root, "bé", 1) == (5, 5)
    assert at(root, "e") == (6, 3)
    assert at(root, "f") == (7, 4)


def test_columns_count_characters_and_a_byte_order_mark_is_no_character(faults: Faults) -> None:
    errors = faults("\ufeff{title: é🙂, name: A}".encode())
    assert ("name", 1, 19) in [(e.field, e.line, e.column) for e in errors]


def test_an_alias_is_told_where_its_anchor_stands(faults: Faults) -> None:
    methods = "methods:\n  a: {optimizer: &o {name: adamw, lr: 0}}\n  b: {optimizer: *o}\n"
    errors = faults("name: a\n" + methods + "tasks: [depth-train]\nseeds: 1\n")
    assert [(e.line, e.column) for e in errors] == [(3, 39), (3, 39)]
    assert [e.field for e in errors] == ["methods.a.optimizer.lr", "methods.b.optimizer.lr"]


SYNTAX = [
    ("tab as indentation", "name: a\nmethods:\n\ta: {init: kaiming}\n", 3, 1, "a tab", "spaces for indentation"),
    ("second colon", "name: a: b\n", 1, 8, 'a second ": "', "quotes"),
    ("indentation", "name: a\n tasks: [b]\n", 2, 7, "indented differently", "one column"),
    ("open list", "name: a\ntasks: [b, c\nseeds: 2\n", 3, 6, '":"', '"," or "]" (opened on line 2)'),
    ("open map", "budget: {steps: 1\n", 2, 1, "the end of the file", '"," or "}" (opened on line 1)'),
    ("open quote", "name: a\ntitle: 'it\nseeds: 2\n", 2, 8, "a quote that is never closed", "the closing quote"),
    ("no colon", "name: a\nseeds\ntasks: [b]\n", 2, 1, '"seeds" without a value', 'a key followed by ": "'),
    ("reserved character", "name: @a\n", 1, 7, '"@" at the start of a value', "quotes"),
    ("stray comma", "name: ,\n", 1, 7, '","', "a value"),
    ("bad escape", 'name: "\\q"\n', 1, 8, "after a backslash", "single quotes"),
    ("bare star", "name: *\n", 1, 8, "a bare * or &", "quotes"),
    ("dash in a line", "name: - a\n", 1, 7, '"- " inside a line', "a list"),
    ("list after map", "name: a\n- b\n", 2, 1, '"-"', "a key in the column of its neighbours"),
    ("directive", "%FOO bar\n---\nname: a\n", 1, 5, "a line that starts with %", "no directive"),
    ("unknown alias", "name: *here\n", 1, 7, '"*here"', "an anchor defined before it"),
    ("alias inside its anchor", "name: &a [1, *a]\n", 1, 14, "inside its own anchor", "an anchor defined before it"),
    ("second document", "name: a\n---\nname: b\n", 2, 1, "a second document", "one document per file"),
    ("list as key", "? [a, b]\n: 1\n", 1, 3, "a list or a map as a key", "plain text"),
    ("map as key", "{{a: 1}: 2}\n", 1, 2, "a list or a map as a key", "plain text"),
    ("tag", "name: !!python/object:os.system a\n", 1, 7, 'tag "tag:yaml.org,2002:python/object:os.system"', "without"),
    ("core tag", "name: a\nseeds: !!int 3\n", 2, 8, "the tag", "a value without a tag"),
    ("null character", "name: a\0b\n", 1, 8, "the character U+0000", "printable text"),
    ("line separator", "name: a\ntitle: b\u2028c\n", 2, 9, "the character U+2028", "printable text"),
    ("duplicate key", "name: a\nseeds: 1\nname: b\n", 3, 1, 'the key "name" a second time', "the first is on line 1"),
    ("duplicate through text", "name: a\n1: 2\n'1': 3\n", 3, 1, 'the key "1" a second time', "each key once"),
    ("merge key", "name: a\n<<: {seeds: 3}\n", 2, 1, 'unknown field "<<"', "one of name"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "column", "found", "expected"), [c[1:] for c in SYNTAX], ids=[c[0] for c in SYNTAX]
)
def test_one_clear_error(faults: Faults, text: str, line: int, column: int, found: str, expected: str) -> None:
    errors = faults(text)
    told = [e for e in errors if (e.line, e.column) == (line, column)]
    assert told, errors
    assert found in told[0].found
    assert expected in told[0].expected


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "---\n...\n"])
def test_empty_file(faults: Faults, text: str) -> None:
    (error,) = faults(text)
    assert str(error) == "spec.yaml:1:1: found an empty file, expected a map with name, methods, tasks and seeds"


@pytest.mark.parametrize(("text", "found"), [("[1, 2]", "a list of 2"), ("hello", '"hello"'), ("3", "3"), ("''", '""')])
def test_not_a_map(faults: Faults, text: str, found: str) -> None:
    (error,) = faults(text)
    assert (error.line, error.column, error.found) == (1, 1, found)


def test_not_utf8(faults: Faults) -> None:
    (error,) = faults(b"name: a\ntitle: caf\xe9\n")
    assert str(error) == "spec.yaml:2:11: found the byte 0xe9, expected text in UTF-8"
    (error,) = faults("name: a".encode("utf-16"))
    assert (error.line, error.column, error.found) == (1, 1, "the byte 0xff")


def test_missing_file_directory_and_impossible_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("comparison.yaml").write_text("")
    cases = {
        "comparisn.yaml": ('no file and no library spec "comparisn.yaml"', "comparison.yaml"),
        "quickstrat": ('no file and no library spec "quickstrat"', "quickstart"),
        "folder": ('a directory, "folder"', None),
        "a\0b": ('"a\\u0000b", which cannot be read (not a file name)', None),
        "x" * 5000: (f'"{"x" * 57}...", which cannot be read (File name too long)', None),
    }
    for source, (found, suggestion) in cases.items():
        with pytest.raises(SpecErrors) as caught:
            load(source, CATALOGUE)
        (error,) = caught.value.errors
        assert (error.line, error.found, error.suggestion) == (0, found, suggestion)
    with pytest.raises(SpecErrors, match=r"^comparisn.yaml: found no file .*; did you mean \"comparison.yaml\"\?$"):
        load("comparisn.yaml", CATALOGUE)


def test_bounds_of_size_depth_and_expansion(faults: Faults) -> None:
    assert faults("name: a #" + "x" * MOST_BYTES)[0].found == "more than 1 MiB"
    deep = faults("name: " + "[" * 500_000)
    assert deep[0].found == f"more than {MOST_DEPTH} levels of nesting"
    assert deep[0].column == 6 + MOST_DEPTH
    wide = faults("name: [" + "1," * (MOST_NODES + 10) + "]")
    assert wide[0].found == "more than 200,000 values"


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)),
        "a0: &a0 {x: y}\n" + "".join(f"a{i}: &a{i} {{x: *a{i - 1}}}\n" for i in range(1, 900)),
        "a: &a [" + "x," * 1000 + "]\nb: [" + "*a," * 990 + "]\n",
        "a: &a x\nb: [" + "*a," * 2000 + "]\n",
    ],
    ids=["billion laughs", "deep chain", "long list repeated", "many aliases"],
)
def test_aliases_cannot_multiply_a_document(faults: Faults, text: str) -> None:
    started = time.process_time()
    errors = faults(text)
    assert time.process_time() - started < 1
    assert errors[-1].found.startswith("more than")


def test_a_depth_of_forty_is_read() -> None:
    problems = Problems("f")
    assert parse("[" * MOST_DEPTH + "]" * MOST_DEPTH, "f", problems) is not None
    with pytest.raises(SpecErrors):
        parse("[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1), "f", problems)
