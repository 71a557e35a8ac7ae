"""The labels, tasks and metrics of a spec, which its claims and its tuning refer to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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


def check_name(node: Node | None, field: str, what: str, names: Iterable[str], problems: Problems) -> None:
    """Tell a name that is not among `names`; when there are none, what defines them was at fault."""
    name, known = text_of(node), list(names)
    if node is not None and name is not None and known and name not in known:
        problems.add(node, field, quoted(name), f"{what}, {one_of(known)}", nearest(name, known))
