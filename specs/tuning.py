"""The `tuning` of a spec, checked against its own methods and tasks and the catalogue's parameters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from specs.errors import Problems, nearest, one_of
from specs.fields import known_fields, read_model
from specs.models import Range, Tuning
from specs.names import Names, check_name
from specs.nodes import ListNode, MapNode, Node, plain, shown, text_of, under
from specs.params import Entry, Fault, checker_of, expected
from specs.sweeps import interval

Check = Callable[[Mapping[str, Any]], tuple[dict[str, Any], list[Fault]]]


def read_tuning(
    node: Node, names: Names, components: Mapping[str, Mapping[str, Entry]], problems: Problems
) -> Tuning | None:
    """The tuning section; None when it has faults, which go to `problems`."""
    space_node = node.get("space") if isinstance(node, MapNode) else None
    ready: dict[str, Any] = {}
    if space_node is not None:
        # Without any method the fault lies with `methods`, and has been told.
        ready["space"] = _Space(names, components, problems).read(space_node) if names.written else None
    if isinstance(node, MapNode):
        metrics = list(dict.fromkeys(m["name"] for task in names.tasks.values() for m in task["metrics"]))
        check_name(node.get("metric"), "tuning.metric", "a metric of a task of this spec", metrics, problems)
    return read_model(Tuning, node, "tuning", problems, ready)


class _Space:
    """Reads `space: {method: {slot: {parameter: range}}}`."""

    def __init__(self, names: Names, components: Mapping[str, Mapping[str, Entry]], problems: Problems) -> None:
        self.names, self.components, self.problems = names, components, problems

    def read(self, node: Node) -> dict[str, dict[str, dict[str, Range]]]:
        space: dict[str, dict[str, dict[str, Range]]] = {}
        for label, slots, field in self._maps(node, self.names.written, "tuning.space", "a map of methods"):
            method = self.names.methods.get(label)
            if method is None:
                continue
            space[label] = {}
            for slot, params, place in self._maps(slots, method.slots, field, "a map of the slots it fills"):
                choice = method.slots[slot].model_dump()
                space[label][slot] = dict(self._ranges(params, slot, choice, place))
        return space

    def _maps(self, node: Node, names: Collection[str], field: str, what: str) -> Iterable[tuple[str, Node, str]]:
        if not isinstance(node, MapNode) or not node.entries:
            self.problems.add(node, field, shown(node), f"{what}, {one_of(names)}")
            return
        known, _ = known_fields(node.entries, names, field, self.problems)
        for key, child in known.items():
            yield key, child, under(field, key)

    def _ranges(
        self, node: Node, slot: str, choice: Mapping[str, Any], field: str, inside: str = ""
    ) -> Iterable[tuple[str, Range]]:
        params = {param["name"]: param for param in self.components[slot][choice["name"]]["params"]}
        for name, child, place in self._maps(node, params, field, f"a map of parameters of {choice['name']}"):
            param, base = params[name], choice["params"][name]
            if param["type"] != "component":
                found = self._range(param, child, place, checker_of(self.components[slot][choice["name"]]).check)
                if found is not None:
                    yield under(inside, name), found
            elif base is None:
                words = f"parameters of the method's {name}, which is null"
                self.problems.add(child, place, words, "a component there")
            else:
                yield from self._ranges(child, param["slot"], base, place, under(inside, name))

    def _range(self, param: Entry, node: Node, field: str, check: Check) -> Range | None:
        words = "{log: [low, high]}, {linear: [low, high]} or {grid: [...]}"
        if not isinstance(node, MapNode) or not node.entries:
            self.problems.add(node, field, shown(node), words)
            return None
        known, _ = known_fields(node.entries, ("log", "linear", "grid"), field, self.problems)
        if len(known) > 1:
            self.problems.add(node, field, f"{len(known)} ranges", words)
        if len(known) != 1 or len(node.entries) != 1:
            return None
        scale, values = next(iter(known.items()))
        place = under(field, scale)
        if scale != "grid" and param["type"] not in ("float", "int"):
            self.problems.add(node, field, f"a {scale} range", "a grid, since the parameter is not a number")
            return None
        tokens = self._tokens(values, place, scale)
        sound = [token for i, token in enumerate(tokens) if self._fits(param, token, f"{place}[{i}]", check)]
        if not tokens or len(sound) < len(tokens):
            return None
        return Range.model_validate({"scale": scale, "values": tuple(map(plain, tokens))})

    def _tokens(self, node: Node, field: str, scale: str) -> list[Node]:
        if scale != "grid":
            return list(interval(node, field, positive=scale == "log", problems=self.problems) or ())
        if isinstance(node, ListNode) and node.items:
            return node.items
        self.problems.add(node, field, shown(node), "a list of values")
        return []

    def _fits(self, param: Entry, token: Node, field: str, check: Check) -> bool:
        """Whether a parameter may take the value of `token`; tells it otherwise."""
        _, faults = check({param["name"]: plain(token)})
        if any(fault.path[0] == param["name"] and fault.kind == "value" for fault in faults):
            words = expected(param)
            close = nearest(text_of(token), param["choices"]) if param["type"] == "choice" else None
            self.problems.add(token, field, shown(token), words, close)
            return False
        return True
