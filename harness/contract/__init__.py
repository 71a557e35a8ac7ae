"""Contract tests: what every component and every task must do, whoever wrote it.

For a file of your own:

    import pytest
    from harness.contract import checks_for
    from my_method import my_method

    @pytest.mark.parametrize(("name", "check"), checks_for(my_method))
    def test_contract(name, check):
        check()

Each check passes, raises `AssertionError` with one sentence, or raises `Skip` where data it needs are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.contract import (
    declared,
    distributed,
    guided,
    init,
    matmul,
    merger,
    objective,
    optimizer,
    sampler,
    selective,
    smoothing,
    tasks,
)
from harness.contract.subject import Check, Lookup, Subject, TaskSubject
from harness.protocols.context import Skip

__all__ = ["Check", "Lookup", "checks_for"]

_BY_PROTOCOL: Mapping[tuple[str, str], Callable[[Subject], list[Check]]] = {
    ("init", "weight"): init.weight_checks,
    ("optimizer", "gradient"): optimizer.gradient_checks,
    ("optimizer", "distributed"): distributed.distributed_checks,
    ("objective", "classification"): objective.classification_checks,
    ("merger", "state-dict"): merger.state_dict_checks,
    ("sampler", "continuous"): sampler.continuous_checks,
    ("sampler", "discrete"): sampler.discrete_checks,
    ("sampler", "sliced-wasserstein"): sampler.sliced_wasserstein_checks,
    ("sampler", "smoothing"): smoothing.smoothing_checks,
    ("sampler", "data"): sampler.data_checks,
    ("sampler", "matmul"): matmul.matmul_checks,
    ("sampler", "guided"): guided.guided_checks,
    ("sampler", "selective"): selective.selective_checks,
}


def checks_for(
    obj: Callable[..., Any], lookup: Lookup | None = None, params: Mapping[str, Any] | None = None
) -> list[Check]:
    """Named checks of a decorated component or task, in the order in which it is sensible to run them.

    Args:
        obj: an object decorated with `@component` or `@task`.
        lookup: name -> decorated component, for a task's baselines and for components named in parameters.
        params: values of the fields that have no default.

    Raises:
        TypeError: `obj` is neither.
    """
    if hasattr(obj, "__component__"):
        component = Subject(obj, obj.__component__, lookup, params or {})
        specific = _BY_PROTOCOL.get((component.info.slot, component.info.protocol))
        checks = declared.component_checks(component) + (specific(component) if specific else [])
    elif hasattr(obj, "__task__"):
        subject = TaskSubject(obj, obj.__task__, lookup, params or {})
        checks = declared.task_checks(subject) + tasks.run_checks(subject)
    else:
        raise TypeError(f"{obj!r} is decorated neither with @component nor with @task")
    return [(name, _one_sentence(check)) for name, check in checks]


def _one_sentence(check: Callable[[], None]) -> Callable[[], None]:
    """The check, with any other exception told as a failure; the exception itself stays the cause."""

    def run() -> None:
        try:
            check()
        except (AssertionError, Skip):
            raise
        except Exception as error:
            told = " ".join(str(error).split())
            raise AssertionError(f"it raised {type(error).__name__}: {told}") from error

    return run
