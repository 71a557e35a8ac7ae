"""Reads a spec with the specs it extends and merges them: maps merge, everything else replaces.

Two kinds of map count as one value and replace: a sweep, and a component of another name (the parameters of `sgd`
mean nothing to an `adamw` that takes its place).  Tokens keep the file they come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from specs.errors import Problems
from specs.files import locate, read_text
from specs.nodes import ListNode, MapNode, Node, Place, Scalar, quoted, shown, text_of
from specs.yaml_source import parse

#: Files read for one spec, each counted as often as it is extended.
MOST_FILES = 32
#: Depth of the first map that names a component: methods, label, slot.
COMPONENT_DEPTH = 3


@dataclass(frozen=True)
class Document:
    """A spec with everything it extends merged in.

    Args:
        root: the merged map.
        text: source of the file the user named.
        path: that file, resolved.
    """

    root: MapNode
    text: str
    path: str


def read_document(source: str | Path, problems: Problems) -> Document:
    """Read `source` and what it extends.

    Raises:
        SpecErrors: a file is missing, unreadable, not YAML or not a map, or extends itself.
    """
    path = locate(source)
    reading = _Reading(problems)
    root = reading.read(path, str(source), "", Place(str(source), 0, 0), ())
    if root is None or reading.failed:
        problems.stop()
    return Document(root, reading.texts[_resolved(path)], str(_resolved(path)))


class _Reading:
    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.texts: dict[Path, str] = {}
        self.roots: dict[Path, MapNode | None] = {}
        self.files = 0
        self.failed = False

    def read(self, path: Path, name: str, field: str, place: Place, opened: tuple[Path, ...]) -> MapNode | None:
        """The merged map of one file; `opened` are the files that extend it, outermost first."""
        resolved = _resolved(path)
        self.files += 1
        if resolved in opened:
            loop = " -> ".join(file.name for file in (*opened[opened.index(resolved) :], resolved))
            self.problems.add(place, field, f"{quoted(name)}, which extends itself ({loop})", "another spec")
        elif self.files > MOST_FILES:
            self.problems.add(place, field, f"more than {MOST_FILES} files", "fewer levels of extends")
        else:
            root = self._parsed(path, resolved, name, field, place)
            if root is not None:
                return self._with_bases(root, path, (*opened, resolved))
        self.failed = True
        return None

    def _parsed(self, path: Path, resolved: Path, name: str, field: str, place: Place) -> MapNode | None:
        if resolved not in self.roots:
            self.roots[resolved] = None
            text = read_text(path, name, field, place, self.problems)
            if text is not None:
                self.texts[resolved] = text
                self.roots[resolved] = _map(parse(text, str(path), self.problems), str(path), self.problems)
        return self.roots[resolved]

    def _with_bases(self, root: MapNode, path: Path, opened: tuple[Path, ...]) -> MapNode | None:
        extends = root.get("extends")
        if extends is None:
            return root
        merged: Node | None = None
        for token, field in self._names(extends):
            name = str(token.value)
            base = self.read(locate(name, path.parent), name, field, token, opened)
            if base is not None:
                merged = base if merged is None else merge(merged, base)
        if merged is None:
            return root
        result = merge(merged, root)
        return result if isinstance(result, MapNode) else root

    def _names(self, extends: Node) -> Iterator[tuple[Scalar, str]]:
        items = extends.items if isinstance(extends, ListNode) else [extends]
        for index, item in enumerate(items):
            field = f"extends[{index}]" if isinstance(extends, ListNode) else "extends"
            if isinstance(item, Scalar) and text_of(item):
                yield item, field
            else:
                self.problems.add(item, field, shown(item), "the path or name of a spec, or a list of them")
                self.failed = True


def merge(base: Node, leaf: Node, depth: int = 0) -> Node:
    """`leaf` laid over `base`; `depth` counts the maps around them."""
    if depth >= COMPONENT_DEPTH and isinstance(base, Scalar) and isinstance(leaf, MapNode):
        base = _long_form(base)
    if not (isinstance(base, MapNode) and isinstance(leaf, MapNode)) or _replaces(base, leaf, depth):
        return leaf
    entries = dict(base.entries)
    for key, (token, value) in leaf.entries.items():
        below = base.entries.get(key)
        entries[key] = (token, merge(below[1], value, depth + 1) if below else value)
    return MapNode(leaf.file, leaf.line, leaf.column, entries)


def _long_form(node: Scalar) -> MapNode:
    """`adamw` as `{name: adamw}`, so that both forms of a component can be extended."""
    key = Scalar(node.file, node.line, node.column, "name", "name")
    return MapNode(node.file, node.line, node.column, {"name": (key, node)} if text_of(node) else {})


def is_sweep(node: Node) -> bool:
    """True for `{grid: ...}` and `{log: ...}`; a component may have parameters of these names, but it has a name."""
    return (
        isinstance(node, MapNode) and "name" not in node.entries and not node.entries.keys().isdisjoint(("grid", "log"))
    )


def _replaces(base: MapNode, leaf: MapNode, depth: int) -> bool:
    if depth < COMPONENT_DEPTH:
        return False
    if is_sweep(base) or is_sweep(leaf):
        return True
    name = leaf.get("name")
    return name is not None and text_of(name) != text_of(base.get("name"))


def _map(root: Node | None, file: str, problems: Problems) -> MapNode | None:
    if isinstance(root, MapNode):
        return root
    if root is None:
        problems.add(Place(file, 1, 1), "", "an empty file", "a map with name, methods, tasks and seeds")
    else:
        problems.add(root, "", shown(root), "a map with name, methods, tasks and seeds")
    return None


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):
        return path
