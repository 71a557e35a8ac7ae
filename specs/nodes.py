"""A parsed YAML document in which every token still knows its file, line and column."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

#: Longest quotation of the file in a message.
LONGEST_QUOTE = 60


@dataclass(slots=True)
class Place:
    """Where a token starts; line and column count from 1, line 0 means the file as a whole."""

    file: str
    line: int
    column: int


@dataclass(slots=True)
class Scalar(Place):
    """A single value, with the text it was written as."""

    value: bool | int | float | str | None
    text: str


@dataclass(slots=True)
class ListNode(Place):
    """A YAML sequence."""

    items: list[Node]


@dataclass(slots=True)
class MapNode(Place):
    """A YAML mapping: for each key its own token and its value."""

    entries: dict[str, tuple[Scalar, Node]]

    def get(self, key: str) -> Node | None:
        """The value of `key`, None without one."""
        entry = self.entries.get(key)
        return entry[1] if entry else None


Node = Scalar | ListNode | MapNode


def plain(node: Node) -> Any:
    """The value as plain Python data."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, (_, value) in node.entries.items()}


def text_of(node: Node | None) -> str | None:
    """The value if it is text."""
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None


def shown(node: Node) -> str:
    """How a message quotes what it found: text in quotes, other scalars as they were written."""
    if isinstance(node, MapNode):
        return "a map" if node.entries else "an empty map"
    if isinstance(node, ListNode):
        return f"a list of {len(node.items)}" if node.items else "an empty list"
    if isinstance(node.value, str):
        return quoted(node.value)
    return node.text or "nothing"


def quoted(text: str) -> str:
    """Text in double quotes, cut to one short line of printable characters."""
    return printable(json.dumps(cut(text), ensure_ascii=False))


def cut(text: str) -> str:
    """Text shortened to what a message can hold."""
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 3] + "..."


def printable(text: str) -> str:
    """Text without line breaks and control characters, which a terminal would obey."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def under(field: str, key: str) -> str:
    """Path of `key` inside the map at `field`."""
    return f"{field}.{cut(key)}" if field else cut(key)


def short(value: object) -> str:
    """A value as labels and messages show it: 0.001, 5, 1e-5, true, fan_in, [0.9,0.99]."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        mantissa, _, exponent = repr(value).partition("e")
        return mantissa.removesuffix(".0") + (f"e{int(exponent)}" if exponent else "")
    if isinstance(value, list):
        return f"[{','.join(map(short, value))}]"
    return str(value)
