"""Specs: which methods meet which tasks, read from YAML, checked against the catalogue, sweeps written out.

The names are imported on first use: completion asks for `library_names` and must not wait for pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from specs.errors import SpecError, SpecErrors
    from specs.files import library_names
    from specs.loading import load, plugins_of
    from specs.models import Budget, Claim, ComponentChoice, MethodSpec, Range, Spec, TaskSpec, Tuning
    from specs.schema import json_schema

_HOMES = {
    "SpecError": "errors",
    "SpecErrors": "errors",
    "library_names": "files",
    "load": "loading",
    "plugins_of": "loading",
    "Budget": "models",
    "Claim": "models",
    "ComponentChoice": "models",
    "MethodSpec": "models",
    "Range": "models",
    "Spec": "models",
    "TaskSpec": "models",
    "Tuning": "models",
    "json_schema": "schema",
}

__all__ = [
    "Budget",
    "Claim",
    "ComponentChoice",
    "MethodSpec",
    "Range",
    "Spec",
    "SpecError",
    "SpecErrors",
    "TaskSpec",
    "Tuning",
    "json_schema",
    "library_names",
    "load",
    "plugins_of",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'specs' has no attribute {name!r}")
    return getattr(import_module(f"specs.{_HOMES[name]}"), name)
