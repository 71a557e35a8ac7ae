"""What a component and a task are: a frozen Params class and one decorator each.

Everything given here is *declarative*: literals, bounds and names.  `harness.catalog` reads it from the source
text without importing the module, so validation, completion and help never load torch.  A contract test holds
the text and the imported class together.

Rules the reader relies on:

- a Params class derives directly from `Params`; each field is `name: type = param(default, help=..., ...)`;
- types are `float`, `int`, `bool`, `str`, `Literal[...]`, `tuple[float, float]` (any fixed length, `float` or `int`),
  `ComponentRef`, and each of these `| None`;
- arguments of `param`, `component` and `task` are literals, or `Metric(...)`, `Target(...)`, `LessThan(...)` of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any, ClassVar, Literal, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

Slot = Literal["init", "optimizer", "sampler", "merger", "objective"]
SLOTS: tuple[Slot, ...] = ("init", "optimizer", "sampler", "merger", "objective")

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class LessThan:
    """Constraint between two numeric fields of one Params class: `left < right` (or `<=` with `or_equal`)."""

    left: str
    right: str
    or_equal: bool = False


class Params(BaseModel):
    """Base of every Params class: frozen, strict, unknown fields forbidden, bounds and constraints checked here."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    constraints: ClassVar[tuple[LessThan, ...]] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            for entry in value if isinstance(value, tuple) else (value,):
                if entry is not None:
                    _check_bounds(name, entry, _bounds(field))
        for rule in type(self).constraints:
            left, right = getattr(self, rule.left), getattr(self, rule.right)
            if None not in (left, right) and not (left <= right if rule.or_equal else left < right):
                raise ValueError(f"{rule.left} must be {'at most' if rule.or_equal else 'less than'} {rule.right}")
        return self


_COMPARE: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "gt": (">", gt), "ge": (">=", ge), "lt": ("<", lt), "le": ("<=", le),
}  # fmt: skip


def _bounds(field: FieldInfo) -> Mapping[str, float]:
    extra = field.json_schema_extra
    return cast("Mapping[str, float]", extra["bounds"]) if isinstance(extra, dict) and "bounds" in extra else {}


def _check_bounds(name: str, value: float, bounds: Mapping[str, float]) -> None:
    for bound, limit in bounds.items():
        sign, holds = _COMPARE[bound]
        if not holds(value, limit):
            raise ValueError(f"{name} must be {sign} {limit}, found {value}")


class ComponentRef(BaseModel):
    """Another component named inside a Params field, for example a wrapper's `base`.

    `name` is its catalogue key, `params` its resolved parameters.  Turn it into a callable with `ctx.bind(ref)`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    slot: Slot
    name: str
    params: dict[str, Any] = {}


def param(
    default: Any = ...,
    *,
    help: str,
    unit: str = "1",
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    slot: Slot | None = None,
    added: str | None = None,
) -> Any:
    """Declare one field of a Params class.

    Args:
        default: the value when the spec names none; leave it out to make the field required.
        help: one line for `bench show`, help texts and the JSON Schema.
        unit: unit of the value, "1" where it has none.
        gt, ge, lt, le: bounds, also for each entry of a tuple.
        slot: the slot a `ComponentRef` field is filled from.
        added: the release that added the field to an already published component; while it holds its default
            such a field stays out of the trial's identity, so older results keep answering.
    """
    bounds = {name: limit for name, limit in (("gt", gt), ("ge", ge), ("lt", lt), ("le", le)) if limit is not None}
    extra: dict[str, Any] = {"unit": unit, "slot": slot, "added": added, "bounds": bounds or None}
    return Field(
        default,
        description=help,
        json_schema_extra={name: value for name, value in extra.items() if value is not None},
    )


@dataclass(frozen=True)
class Metric:
    """A number a task records.  `direction` says what is better; the first metric of a task ranks its leaderboard."""

    name: str
    direction: Literal["max", "min", "none"]
    help: str
    unit: str = "1"


@dataclass(frozen=True)
class Target:
    """The value of `metric` that ends a cost-to-target count."""

    metric: str
    value: float


@dataclass(frozen=True)
class ComponentInfo:
    """What `@component` was told; kept on the decorated object as `__component__`."""

    slot: Slot
    key: str
    protocol: str
    version: int
    paper: str
    params: type[Params]
    flags: tuple[str, ...] = ()
    constraints: tuple[LessThan, ...] = ()
    verified: bool = True


@dataclass(frozen=True)
class TaskInfo:
    """What `@task` was told; kept on the decorated object as `__task__`."""

    key: str
    version: int
    protocols: Mapping[Slot, str]
    judges: tuple[Slot, ...]
    baselines: Mapping[Slot, Mapping[str, Any]]
    metrics: tuple[Metric, ...]
    varies: tuple[Literal["instance", "data", "init", "noise"], ...]
    budget: Mapping[str, float]
    seconds: float
    source: str
    params: type[Params]
    data: tuple[str, ...] = ()
    target: Target | None = None
    offers: tuple[str, ...] = ()


def component(
    *,
    slot: Slot,
    key: str,
    protocol: str,
    version: int,
    paper: str,
    params: type[Params],
    flags: tuple[str, ...] = (),
    constraints: tuple[LessThan, ...] = (),
    verified: bool = True,
) -> Callable[[F], F]:
    """Register the decorated function or class as a component.

    The object is called with its Params first, then with what its protocol hands over
    (`harness/protocols/<slot>.py`).

    Args:
        slot: where a method uses it.
        key: kebab-case name in specs and reports.
        protocol: which protocol of the slot it speaks; tasks ask for a protocol.
        version: raised only to end a history on purpose.
        paper: "arXiv:2306.01708", a DOI, or the text book.
        params: its Params class, defined in the same file.
        flags: capability flags checked before a run, for example "needs_base".
        constraints: relations between fields.
        verified: False while a fact of the paper could not be checked; the docstring says which.
    """
    params.constraints = constraints
    info = ComponentInfo(slot, key, protocol, version, paper, params, flags, constraints, verified)
    return _attach("__component__", info)


def task(
    *,
    key: str,
    version: int,
    protocols: Mapping[Slot, str],
    judges: tuple[Slot, ...],
    baselines: Mapping[Slot, Mapping[str, Any]],
    metrics: tuple[Metric, ...],
    varies: tuple[Literal["instance", "data", "init", "noise"], ...],
    budget: Mapping[str, float],
    seconds: float,
    source: str,
    params: type[Params],
    data: tuple[str, ...] = (),
    target: Target | None = None,
    offers: tuple[str, ...] = (),
) -> Callable[[F], F]:
    """Register the decorated function `(params, method, ctx) -> None` as a standard task.

    Args:
        key: kebab-case name.
        version: raised only to end a history on purpose.
        protocols: the protocol asked of every slot the task uses.
        judges: the slots it ranks; a method meets the task when it fills one of them.
        baselines: the component (with `name` and parameters) of each used slot that a method leaves empty.
        metrics: what it records; the first one ranks the leaderboard.
        varies: what the seed varies; empty when nothing does, then a pair runs once and is shown as exact.
        budget: the budget it obeys and its default, keys among steps, seconds, nfe, bits.
        seconds: CPU seconds of one trial at the default budget on one thread, for `--dry-run` and time limits.
        source: where the task comes from (paper, card, textbook) and who owns the data.
        params: its Params class, defined in the same file.
        data: names of the data sets it reads (`harness/parts/data.py`).
        target: the declared target of its cost-to-target.
        offers: what it can give to components that ask: a flag "needs_base" is met by "base".
    """
    info = TaskInfo(
        key,
        version,
        protocols,
        judges,
        baselines,
        metrics,
        varies,
        budget,
        seconds,
        source,
        params,
        data,
        target,
        offers,
    )
    return _attach("__task__", info)


def _attach(name: str, info: ComponentInfo | TaskInfo) -> Callable[[F], F]:
    def decorate(target: F) -> F:
        setattr(target, name, info)
        return target

    return decorate
