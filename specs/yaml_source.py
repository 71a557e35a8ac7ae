"""YAML text to nodes with positions, safely: bounded in depth, aliases and size, without tags.

PyYAML (libyaml where it is there) splits the text into events.  Nodes are built from the events as they come, so a
document that is too deep or multiplies itself through aliases is refused before anything large exists.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import yaml
from yaml.events import AliasEvent, DocumentStartEvent, NodeEvent, ScalarEvent, SequenceStartEvent

from specs.errors import Problems
from specs.nodes import ListNode, MapNode, Node, Place, Scalar, quoted, under
from specs.scalars import resolve
from specs.syntax import tell_syntax_error

MOST_DEPTH = 40
MOST_ALIASES = 1000
#: Nodes of a document with every alias written out.
MOST_NODES = 200_000

#: Control characters, lone surrogates, and the three characters that YAML 1.1 alone takes for line breaks.
FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(text: str, file: str, problems: Problems) -> Node | None:
    """The document in `text`, None when it is empty.

    Duplicate keys and tags are noted in `problems` and reading goes on.

    Raises:
        SpecErrors: the text is not YAML, or is over a bound.
    """
    bad = FORBIDDEN.search(text)
    if bad:
        before = text[: bad.start()]
        place = Place(file, before.count("\n") + 1, bad.start() - before.rfind("\n"))
        problems.add(place, "", f"the character U+{ord(bad[0]):04X}", "printable text")
        problems.stop()
    try:
        return _Composer(text, file, problems).document()
    except yaml.YAMLError as error:
        tell_syntax_error(error, text, file, problems)
        problems.stop()


class _Composer:
    def __init__(self, text: str, file: str, problems: Problems) -> None:
        self.parser = _Parser(text)
        self.file, self.problems = file, problems
        self.nodes = self.aliases = 0
        #: Per anchor the node, its size and its height; None while the node is still being read.
        self.anchors: dict[str, tuple[Node, int, int] | None] = {}
        #: Keys and indices from the root to the node being read.
        self.trail: list[str | int] = []

    def document(self) -> Node | None:
        root = None
        try:
            self.parser.get_event()
            while self.parser.check_event(DocumentStartEvent):
                start = self.parser.get_event()
                if root is not None:
                    self._refuse(self._place(start), "a second document", "one document per file")
                root, _ = self._node(self.parser.get_event(), 1)
                self.parser.get_event()
        finally:
            self.parser.dispose()
        return None if isinstance(root, Scalar) and root.text == "" and root.value is None else root

    def _node(self, event: NodeEvent, depth: int) -> tuple[Node, int]:
        """The node that starts with `event`, and its height."""
        place = self._place(event)
        if isinstance(event, AliasEvent):
            return self._alias(event, place, depth)
        if depth > MOST_DEPTH:
            self._refuse(place, f"more than {MOST_DEPTH} levels of nesting", "a flatter document")
        self._count(1, place)
        tag: str | None = getattr(event, "tag", None)
        if tag is not None:
            self.problems.add(place, self._field(), f"the tag {quoted(tag)}", "a value without a tag")
        if isinstance(event, ScalarEvent):
            value = resolve(event.value) if event.implicit[0] else event.value
            node: Node = Scalar(self.file, place.line, place.column, value, event.value)
            if event.anchor is not None:
                self.anchors[event.anchor] = (node, 1, 1)
            return node, 1
        before = self.nodes
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        if isinstance(event, SequenceStartEvent):
            node, height = self._list(place, depth)
        else:
            node, height = self._map(place, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, self.nodes - before + 1, height)
        return node, height

    def _list(self, place: Place, depth: int) -> tuple[ListNode, int]:
        items: list[Node] = []
        height = 0
        while not self.parser.check_event(yaml.SequenceEndEvent):
            self.trail.append(len(items))
            item, below = self._node(self.parser.get_event(), depth + 1)
            self.trail.pop()
            items.append(item)
            height = max(height, below)
        self.parser.get_event()
        return ListNode(place.file, place.line, place.column, items), height + 1

    def _map(self, place: Place, depth: int) -> tuple[MapNode, int]:
        entries: dict[str, tuple[Scalar, Node]] = {}
        height = 0
        while not self.parser.check_event(yaml.MappingEndEvent):
            key, _ = self._node(self.parser.get_event(), depth + 1)
            self.trail.append(key.text if isinstance(key, Scalar) else "?")
            value, below = self._node(self.parser.get_event(), depth + 1)
            height = max(height, below)
            if not isinstance(key, Scalar):
                self.problems.add(key, self._field(), "a list or a map as a key", "a key of plain text")
            elif key.text in entries:
                first = entries[key.text][0]
                found = f"the key {quoted(key.text)} a second time"
                self.problems.add(key, self._field(), found, f"each key once (the first is on line {first.line})")
            else:
                entries[key.text] = (key, value)
            self.trail.pop()
        self.parser.get_event()
        return MapNode(place.file, place.line, place.column, entries), height + 1

    def _alias(self, event: AliasEvent, place: Place, depth: int) -> tuple[Node, int]:
        self.aliases += 1
        if self.aliases > MOST_ALIASES:
            self._refuse(place, f"more than {MOST_ALIASES} aliases", "fewer; a base spec and `extends` share more")
        name = event.anchor or ""
        known = self.anchors.get(name)
        if known is None:
            inside = name in self.anchors
            found = f"the alias {quoted('*' + name)}{' inside its own anchor' if inside else ''}"
            self._refuse(place, found, "an anchor defined before it")
        node, size, height = known
        self._count(size, place)
        if depth + height - 1 > MOST_DEPTH:
            self._refuse(place, f"more than {MOST_DEPTH} levels of nesting through aliases", "a flatter document")
        return node, height

    def _count(self, nodes: int, place: Place) -> None:
        self.nodes += nodes
        if self.nodes > MOST_NODES:
            self._refuse(place, f"more than {MOST_NODES:,} values", "a smaller document")

    def _refuse(self, place: Place, found: str, expected: str) -> NoReturn:
        self.problems.add(place, self._field(), found, expected)
        self.problems.stop()

    def _field(self) -> str:
        field = ""
        for part in self.trail:
            field = f"{field}[{part}]" if isinstance(part, int) else under(field, part)
        return field

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1)
