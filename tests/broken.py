"""Components that break the contract, and how a test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.contract import checks_for
from harness.protocols.component import Params, component


class Nothing(Params):
    """No parameter."""


def made(slot: Any, protocol: str, **changes: Any) -> Callable[[Any], Any]:
    """Decorator of a component that only `changes` make wrong."""
    declared: dict[str, Any] = {"key": "broken", "version": 1, "paper": "none", "params": Nothing} | changes
    return component(slot=slot, protocol=protocol, **declared)


def check_of(obj: Any, name: str, **kwargs: Any) -> Callable[[], None]:
    """The check of this name."""
    return dict(checks_for(obj, **kwargs))[name]


def assert_fails(obj: Any, name: str, message: str, **kwargs: Any) -> None:
    """The check of this name fails with a sentence that matches `message`."""
    with pytest.raises(AssertionError, match=message):
        check_of(obj, name, **kwargs)()
