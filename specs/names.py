"""The labels, tasks and metrics of a spec, which its claims and its tuning refer to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from specs.errors import Problems, nearest, one_of
from specs.models import MethodSpec
from specs.nodes import Node, quoted, text_of
from specs.params import Entry


@dataclass(frozen=True)
class Names:
    """What claims and tuning may refer to.

    Args:
        methods: label, before and after sweeps are expanded, to a method of that label; None where it has faults.
        written: labels of methods before sweeps are expanded.
        tasks: label, before and after expansion, to the task's catalogue entry.
    """

    methods: Mapping[str, MethodSpec | None]
    written: Collection[str]
    tasks: Mapping[str, Entry]


def check_name(node: Node | None, field: str, what: str, names: Collection[str], problems: Problems) -> None:
    """Tell a name that is not among `names`; when there are none, what defines them was at fault."""
    name = text_of(node)
    if node is not None and name is not None and names and name not in names:
        problems.add(node, field, quoted(name), f"{what}, {one_of(names)}", nearest(name, names))
