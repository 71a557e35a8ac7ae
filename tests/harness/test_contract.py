"""Guards the contract: every shipped component and every shipped task keeps it."""

import importlib
import pkgutil

import pytest

import harness.methods
import harness.tasks
from harness.contract import checks_for
from harness.protocols.component import ComponentRef
from harness.protocols.context import Skip


def registered(package, mark):
    """Decorated objects of all modules below a package."""
    found = {}
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if hasattr(value, mark) and value.__module__ == module.name:
                found[getattr(value, mark).key] = value
    return dict(sorted(found.items()))


COMPONENTS = registered(harness.methods, "__component__")
TASKS = registered(harness.tasks, "__task__")


def wrapped(obj):
    """A plain component for each required field that takes one."""
    fields = obj.__component__.params.model_fields if hasattr(obj, "__component__") else {}
    slots = {
        name: field.json_schema_extra["slot"]
        for name, field in fields.items()
        if field.annotation is ComponentRef and field.is_required()
    }
    return {name: ComponentRef(slot=slot, name=plain(slot, obj.__component__.protocol)) for name, slot in slots.items()}


def plain(slot, protocol):
    """A component of the wrapper's own protocol that wraps nothing."""
    return next(
        key
        for key, obj in COMPONENTS.items()
        if ((info := obj.__component__).slot, info.protocol) == (slot, protocol)
        and not any(f.is_required() for f in info.params.model_fields.values())
    )


CASES = [
    pytest.param(check, id=f"{key}-{name.replace(' ', '_')}")
    for key, obj in (COMPONENTS | TASKS).items()
    for name, check in checks_for(obj, COMPONENTS.__getitem__, wrapped(obj))
]


@pytest.mark.parametrize("check", CASES)
def test_contract(check):
    try:
        check()
    except Skip as skip:
        pytest.skip(str(skip))


def test_every_slot_is_covered():
    assert {obj.__component__.slot for obj in COMPONENTS.values()} == {
        "init",
        "optimizer",
        "sampler",
        "merger",
        "objective",
    }
    for key, obj in COMPONENTS.items():
        info = obj.__component__
        names = {name for name, _ in checks_for(obj)}
        assert "equal seeds give equal bits" in names, f"no check of protocol {info.protocol!r} ({key})"
