"""Two versions of the code as two methods, so that everything that compares methods compares versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from reports.model import Metric, Results, Run, Task, Trial

#: (trial, fingerprint) -> status and final value of each metric.
Values = Mapping[tuple[str, str], tuple[str, Mapping[str, float]]]


class Version(Protocol):
    """What one version planned: rows with method, task, seed, trial and fingerprint, and its tasks' descriptions."""

    @property
    def label(self) -> str: ...
    @property
    def rows(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def tasks(self) -> Mapping[str, Mapping[str, Any]]: ...


def by_method(versions: Sequence[Version], values: Values) -> dict[str, Results]:
    """For each method of the plans `Results` in which the versions are the methods."""
    tasks = {label: _task(label, entry) for version in versions for label, entry in version.tasks.items()}
    labels = tuple(version.label for version in versions)
    results = {}
    for method in dict.fromkeys(row["method"] for version in versions for row in version.rows):
        trials = tuple(
            _trial(version.label, row, values)
            for version in versions
            for row in version.rows
            if row["method"] == method
        )
        met = tuple(tasks[label] for label in dict.fromkeys(trial.task for trial in trials))
        results[method] = Results((Run("", method, method, labels, met, trials),))
    return results


def _task(label: str, entry: Mapping[str, Any]) -> Task:
    metrics = tuple(Metric(m["name"], m["direction"], m["unit"], m["help"]) for m in entry["metrics"])
    return Task(label, entry["title"], metrics, tuple(entry["varies"]))


def _trial(label: str, row: Mapping[str, Any], values: Values) -> Trial:
    status, final = values.get((row["trial"], row["fingerprint"]), ("missing", {}))
    return Trial(row["trial"], label, row["task"], row["seed"], status, values=final)
