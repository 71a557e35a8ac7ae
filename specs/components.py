"""Components and tasks of a spec: names looked up in the catalogue, sweeps expanded, every point checked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from specs.errors import Problems, nearest, one_of
from specs.extends import is_sweep
from specs.fields import known_fields
from specs.nodes import ListNode, MapNode, Node, Scalar, plain, quoted, short, shown, text_of, under
from specs.params import Entry, Fault, ParamChecker, checker_of, expected
from specs.sweeps import points

#: Swept parameters of one point, each with the text that labels show: (("lr", "0.001"), ("base.momentum", "0.9")).
Swept = tuple[tuple[str, str], ...]
#: Text that YAML 1.1 took for true or false.
SWITCHES = {"yes": "true", "on": "true", "no": "false", "off": "false"}


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a component's or task's sweeps, or the only one where nothing is swept."""

    name: str
    params: dict[str, Any]
    swept: Swept


@dataclass(frozen=True, slots=True)
class _Value:
    """One value of a parameter, with its token."""

    value: Any
    node: Node
    field: str
    swept: Swept


class Components:
    """Reads component and task choices against a catalogue; what is wrong goes to `problems`."""

    def __init__(self, catalogue: Mapping[str, Any], problems: Problems) -> None:
        self.slots: Mapping[str, Mapping[str, Entry]] = catalogue["components"]
        self.tasks: Mapping[str, Entry] = catalogue["tasks"]
        self.problems = problems

    def component(self, node: Node, slot: str, field: str) -> list[Point]:
        """Points of a component in the short form `adamw` or the long form `{name: adamw, lr: 0.1}`."""
        return self._choice(node, self.slots[slot], f"a component of the slot {slot}", field)

    def task(self, node: Node, field: str) -> list[Point]:
        """Points of a task in the short or the long form."""
        return self._choice(node, self.tasks, "a task", field)

    def task_name(self, node: Node) -> str | None:
        """The task that `node` names or, misspelt, was meant to name."""
        text = text_of(node.get("name") if isinstance(node, MapNode) else node)
        return text if text in self.tasks else nearest(text, self.tasks)

    def _choice(self, node: Node, shelf: Mapping[str, Entry], what: str, field: str) -> list[Point]:
        if not isinstance(node, MapNode):
            entry = self._entry(node, shelf, what, field)
            return self._points(entry, {}, node, field) if entry else []
        name = node.get("name")
        if name is None:
            misspelt = next((key for key in node.entries if nearest(key, ("name",))), None)
            if misspelt:
                token = node.entries[misspelt][0]
                self.problems.add(token, under(field, misspelt), f"unknown field {quoted(misspelt)}", "name", "name")
            else:
                self.problems.missing(node, field, f'required field "name" ({what})')
            return []
        entry = self._entry(name, shelf, what, under(field, "name"))
        given = {key: pair for key, pair in node.entries.items() if key != "name"}
        return self._points(entry, given, node, field) if entry else []

    def _entry(self, node: Node, shelf: Mapping[str, Entry], what: str, field: str) -> Entry | None:
        name = text_of(node)
        if name is None:
            self.problems.add(node, field, shown(node), f"{what}, by name or as {{name: ..., parameters}}")
        elif name in shelf:
            return shelf[name]
        else:
            place, suggestion = self._elsewhere(name, shelf)
            self.problems.add(node, field, quoted(name) + place, one_of(shelf) if shelf else what, suggestion)
        return None

    def _elsewhere(self, name: str, shelf: Mapping[str, Entry]) -> tuple[str, str | None]:
        """Words on where a name that is not on `shelf` belongs, and the nearest name."""
        if name in self.tasks:
            return ", which is a task", nearest(name, shelf)
        slot = next((slot for slot, entries in self.slots.items() if name in entries), None)
        if slot is None:
            return "", nearest(name, shelf)
        return f", which belongs in the slot {slot}", None if shelf is self.tasks else f"{slot}: {name}"

    def _points(self, entry: Entry, given: Mapping[str, tuple[Scalar, Node]], place: Node, field: str) -> list[Point]:
        checker = checker_of(entry)
        known, guessed = known_fields(given, checker.params, field, self.problems)
        for name, param in checker.params.items():
            if param["required"] and name not in known and name not in guessed:
                self.problems.missing(place, field, f"required field {quoted(name)} ({expected(param)})")
        values = {name: self._values(checker.params[name], node, under(field, name)) for name, node in known.items()}
        sound = {name: choices for name, choices in values.items() if choices}
        result = []
        complete = len(sound) == len(given)
        for combination in itertools.product(*sound.values()):
            params, faults = checker.check({name: v.value for name, v in zip(sound, combination, strict=True)})
            if faults:
                self._report(faults, dict(zip(sound, combination, strict=True)), checker)
            elif complete:
                swept = tuple(itertools.chain.from_iterable([v.swept for v in combination if v.swept]))
                result.append(Point(entry["key"], params, swept))
        return result

    def _values(self, param: Entry, node: Node, field: str) -> list[_Value]:
        """Every value of one parameter; empty when none of them can be used, which has then been told."""
        name = param["name"]
        if is_sweep(node) and isinstance(node, MapNode):
            swept = points(node, field, param["type"], self.problems)
            labelled = [(_label(item), item, place) for item, place in swept]
            if len({label for label, _, _ in labelled}) < len(labelled):
                self._tell_repeated(labelled)
            return [
                _Value(v.value, v.node, v.field, ((name, label), *v.swept))
                for label, item, place in labelled
                for v in self._single(param, item, place)
            ]
        return self._single(param, node, field)

    def _tell_repeated(self, labelled: Iterable[tuple[str, Node, str]]) -> None:
        seen: set[str] = set()
        for label, item, place in labelled:
            if label in seen:
                self.problems.add(item, place, f"{label} a second time", "distinct values in a sweep")
            seen.add(label)

    def _single(self, param: Entry, node: Node, field: str) -> list[_Value]:
        if param["type"] != "component":
            if isinstance(node, MapNode):
                self._not_a_sweep(param, node, field)
                return []
            return [_Value(plain(node), node, field, ())]
        if isinstance(node, Scalar) and node.value is None:
            return [_Value(None, node, field, ())]
        return [
            _Value(
                {"name": point.name, "params": point.params},
                node,
                field,
                tuple((under(param["name"], path), text) for path, text in point.swept),
            )
            for point in self.component(node, param["slot"], field)
        ]

    def _not_a_sweep(self, param: Entry, node: MapNode, field: str) -> None:
        for key, (token, _) in node.entries.items():
            if close := nearest(key, ("grid", "log")):
                self.problems.add(token, under(field, key), f"unknown field {quoted(key)}", "grid or log", close)
                return
        self.problems.add(node, field, shown(node), f"{expected(param)}, or a sweep with grid or log")

    def _report(self, faults: Iterable[Fault], given: Mapping[str, _Value], checker: ParamChecker) -> None:
        """Tell faults of one point at the tokens of its values; missing fields have been told."""
        for fault in faults:
            name = str(fault.path[0])
            if fault.kind in ("missing", "unknown") or name not in given:
                continue
            node, field = given[name].node, given[name].field
            for index in fault.path[1:]:
                if isinstance(node, ListNode) and isinstance(index, int) and index < len(node.items):
                    node, field = node.items[index], f"{field}[{index}]"
            words = fault.expected
            if isinstance(node, Scalar) and isinstance(node.value, float) and not math.isfinite(node.value):
                words = words.replace("a number", "a finite number")
            self.problems.add(node, field, shown(node), words, _nearest_value(node, checker.params[name]))


def _label(node: Node) -> str:
    """A swept value as labels show it; of a component, its name and the parameters given."""
    if not isinstance(node, MapNode):
        return short(plain(node))
    given = [
        f"{key}={_label(value)}" for key, (_, value) in node.entries.items() if key != "name" and not is_sweep(value)
    ]
    return short(plain(node.get("name") or node)) + (f"({','.join(given)})" if given else "")


def _nearest_value(node: Node, param: Entry) -> str | None:
    text = text_of(node)
    if param["type"] == "bool" and text is not None:
        return SWITCHES.get(text.lower()) or nearest(text, ("true", "false"))
    return nearest(text, [c for c in param["choices"] if isinstance(c, str)]) if param["type"] == "choice" else None
