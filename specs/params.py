"""Checks parameters against the catalogue's data, exactly as the component's own Params class would.

For each component a pydantic model with that class's rules is built from its entry: frozen, strict, unknown fields
forbidden, no infinity or NaN, bounds also for every entry of a tuple, constraints between fields.  So validation
needs neither the component's module nor torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import ge, gt, le, lt
from types import GenericAlias
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from specs.nodes import short

Entry = Mapping[str, Any]

TYPES: dict[str, Any] = {"float": float, "int": int, "bool": bool, "str": str, "component": Any}
WORDS = {"float": "a number", "int": "an integer", "bool": "true or false", "str": "text"}
BOUNDS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "gt": (">", gt),
    "ge": (">=", ge),
    "lt": ("<", lt),
    "le": ("<=", le),
}

_checkers: dict[str, ParamChecker] = {}


@dataclass(frozen=True)
class Fault:
    """A value that does not fit.

    Args:
        path: name of the parameter, and the index inside a tuple.
        kind: "constraint" when two parameters contradict each other.
        expected: what may stand there.
    """

    path: tuple[str | int, ...]
    kind: Literal["missing", "unknown", "value", "constraint"]
    expected: str


class _Base(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())


def checker_of(entry: Entry) -> ParamChecker:
    """The checker for a component's or task's parameters, built once."""
    key = repr((entry["params"], entry["constraints"]))
    if key not in _checkers:
        _checkers[key] = ParamChecker(entry["params"], entry["constraints"])
    return _checkers[key]


class ParamChecker:
    """Checks values against parameters and constraints of one catalogue entry."""

    def __init__(self, params: Iterable[Entry], constraints: Iterable[Entry]) -> None:
        self.params: dict[str, Entry] = {param["name"]: param for param in params}
        self.constraints = list(constraints)
        self._tuples = {name: _limits(param) for name, param in self.params.items() if param["type"] == "tuple"}
        self._components = [param for param in self.params.values() if param["type"] == "component"]
        fields: dict[str, Any] = {name: (_type(param), _field(param)) for name, param in self.params.items()}
        model = create_model("Params", __base__=_Base, **fields)
        self._validator = model.__pydantic_validator__
        self._defaults = {name: field.default for name, field in model.model_fields.items() if not field.is_required()}

    def check(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """All parameters with defaults filled in, and what is wrong with the given ones.

        Args:
            values: JSON-like; tuples are lists, components are `{"name", "params"}`.
        """
        given = dict(values)
        for name in self._tuples:
            if isinstance(given.get(name), list):
                given[name] = tuple(given[name])
        faults: list[Fault] = []
        try:
            checked: dict[str, Any] = dict(self._validator.validate_python(given).__dict__)
        except ValidationError as error:
            faults = [self._fault(e["type"], e["loc"]) for e in error.errors(include_url=False, include_input=False)]
            checked = {**self._defaults, **given}
        told = {fault.path for fault in faults}
        at_fault = {path[0] for path in told}
        sound = {name: value for name, value in checked.items() if name not in at_fault} if faults else checked
        for param in self._components:
            value = sound.get(param["name"], {})
            if not (isinstance(value, dict) or (value is None and param["optional"])):
                faults.append(Fault((param["name"],), "value", expected(param)))
        for name, limits in self._tuples.items():
            value = checked.get(name)
            if isinstance(value, tuple):
                checked[name] = list(value)
                if name in given and (name,) not in told:
                    outside = [i for i, entry in enumerate(value) if _outside(entry, limits)]
                    faults += [Fault((name, i), "value", expected(self.params[name], i)) for i in outside]
        for rule in self.constraints:
            left, right = sound.get(rule["left"]), sound.get(rule["right"])
            if left is not None and right is not None and not (left <= right if rule["or_equal"] else left < right):
                faults.append(_contradiction(rule, left, right, rule["left"] in values))
        return checked, faults

    def _fault(self, kind: str, loc: tuple[str | int, ...]) -> Fault:
        param = self.params.get(str(loc[0]))
        if param is None:
            return Fault(loc, "unknown", f"one of {', '.join(self.params)}")
        if kind == "missing" and len(loc) == 1:
            return Fault(loc, "missing", expected(param))
        if param["type"] == "tuple" and len(loc) > 1 and kind != "missing":
            index = int(loc[1])
            return Fault((loc[0], index), "value", expected(param, index))
        return Fault(loc[:1], "value", expected(param))


def _contradiction(rule: Entry, left: float, right: float, left_given: bool) -> Fault:
    """The fault of two fields out of order, told at the left one unless that one is a default."""
    if left_given:
        comparison = "at most" if rule["or_equal"] else "less than"
        return Fault((rule["left"],), "constraint", f"a value {comparison} {rule['right']} ({short(right)})")
    comparison = "at least" if rule["or_equal"] else "greater than"
    return Fault((rule["right"],), "constraint", f"a value {comparison} {rule['left']} ({short(left)})")


def expected(param: Entry, index: int | None = None) -> str:
    """What may stand for a parameter, or for one entry of a tuple, in words."""
    bounds = " and ".join(f"{sign} {short(param[bound])}" for bound, (sign, _) in BOUNDS.items() if bound in param)
    bounds = f" {bounds}" if bounds else ""
    type_ = param["type"]
    if index is not None:
        return WORDS[param["items"][index]] + bounds
    if type_ == "tuple":
        kind = "numbers" if "float" in param["items"] else "integers"
        words = f"a list of {len(param['items'])} {kind}{bounds}"
    elif type_ == "choice":
        words = f"one of {', '.join(map(str, param['choices']))}"
    elif type_ == "component":
        words = f"a component of the slot {param['slot']}"
    else:
        words = WORDS[type_] + bounds
    return words + (" or null" if param["optional"] else "")


def _limits(param: Entry) -> list[tuple[Callable[[Any, Any], bool], float]]:
    return [(compare, param[bound]) for bound, (_, compare) in BOUNDS.items() if bound in param]


def _outside(entry: Any, limits: Iterable[tuple[Callable[[Any, Any], bool], float]]) -> bool:
    """Whether an entry of a tuple is a number beyond a bound; what is no number has been told."""
    return type(entry) in (int, float) and not all(fits(entry, limit) for fits, limit in limits)


def _type(param: Entry) -> Any:
    type_ = param["type"]
    if type_ == "choice":
        annotation: Any = Literal[tuple(param["choices"])]
    elif type_ == "tuple":
        annotation = GenericAlias(tuple, tuple(TYPES[item] for item in param["items"]))
    else:
        annotation = TYPES[type_]
    return annotation | None if param["optional"] and type_ != "component" else annotation


def _field(param: Entry) -> Any:
    on_scalar = param["type"] in ("float", "int")
    bounds = {bound: param[bound] for bound in BOUNDS if on_scalar and bound in param}
    if param["required"]:
        return Field(**bounds)
    default = param["default"]
    if isinstance(default, list):
        pair = zip(param["items"], default, strict=True)
        default = tuple(float(value) if item == "float" else value for item, value in pair)
    elif param["type"] == "float" and default is not None:
        default = float(default)
    return Field(default, **bounds)
