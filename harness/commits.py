"""One spec under two versions of the code: two commits, or a commit and the working tree, over the same seeds.

Each version plans (and, when asked, runs) the spec in a process and a checkout of its own, into the same registry.
Equal identities pair the trials; fingerprints tell whether anything could have changed at all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.keys import PROJECT

if TYPE_CHECKING:
    from registry import Registry

WORKING_TREE = "working tree"
#: Printed by each version: its plan, with what reports must know of the tasks.
PLAN = """
import json, sys
from harness import api
plan = api.plan(sys.argv[1], allow_plugins=sys.argv[2] == "True")
rows = [{"method": r.method, "task": r.task, "seed": r.seed, "trial": r.trial,
         "fingerprint": plan.trials[r.trial].fingerprint.id} for r in plan.rows]
tasks = {label: {key: entry[key] for key in ("title", "metrics", "varies")} for label, entry in plan.tasks.items()}
print(json.dumps({"rows": rows, "tasks": tasks, "tuned": getattr(plan, "study", None) is not None}))
"""


class CommitError(Exception):
    """A version cannot be checked out, cannot plan the spec, or has no results; one line with the remedy."""


@dataclass(frozen=True)
class Version:
    """One side of the comparison: its label, its plan, and how many of its trials the registry does not hold."""

    label: str
    rows: Sequence[Mapping[str, Any]]
    tasks: Mapping[str, Mapping[str, Any]]
    missing: int


def versions_of(
    spec: Path, commits: Sequence[str], registry: Registry, run: bool = False, allow_plugins: bool = False
) -> list[Version]:
    """The two sides: two commits, or one commit and the working tree, the older first; all their trials have results.

    Args:
        spec: the file both versions run.
        commits: one or two commits.
        registry: where both look and, with `run`, store.
        run: run what is missing.
        allow_plugins: as for `bench run`.

    Raises:
        CommitError: there is no such commit, or a version has no result and `run` is off.
    """
    labels = [*commits, WORKING_TREE][:2]
    if len(commits) not in (1, 2) or labels[0] == labels[1]:
        raise CommitError("compare one commit with the working tree, or two different commits")
    versions = [_version(label, spec, registry, run, allow_plugins) for label in labels]
    lacking = [
        f"{version.missing} of {len(version.rows)} at {version.label}" for version in versions if version.missing
    ]
    if lacking:
        raise CommitError(f"trials without result: {', '.join(lacking)}; add --run to run them")
    return versions


def _version(label: str, spec: Path, registry: Registry, run: bool, allow_plugins: bool) -> Version:
    with checkout(label) as folder:
        answer = _python(folder, ["-c", PLAN, str(spec), str(allow_plugins)], label, subprocess.PIPE)
        planned = json.loads(answer.stdout)
        if planned.get("tuned"):
            raise CommitError(
                f"{spec}: two versions of a spec with tuning cannot be compared: each chooses parameters of "
                "its own; write the chosen ones into the methods and leave tuning out"
            )
        if run:
            command = ["-m", "harness.cli", "run", str(spec), "--registry", str(registry.folder.root.resolve())]
            command += ["--allow-plugins"] * allow_plugins
            if _python(folder, command, label, subprocess.DEVNULL).returncode:
                # a timeout on a busy machine is no result of this version: such trials run once more, errors do not
                _python(folder, command, label, subprocess.DEVNULL)
    registry.sync()
    known = registry.ledger((row["trial"], row["fingerprint"]) for row in planned["rows"])
    missing = sum(row["trial"] not in known for row in planned["rows"])
    return Version(label, planned["rows"], planned["tasks"], missing)


@contextmanager
def checkout(label: str) -> Iterator[Path]:
    """A folder with the project as of a commit; the project itself for the working tree."""
    if label == WORKING_TREE:
        yield PROJECT
        return
    with tempfile.TemporaryDirectory(prefix="methodbench-") as name:
        folder = Path(name) / "checkout"
        _git("worktree", "add", "--quiet", "--detach", str(folder), label)
        try:
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _git(*arguments: str) -> None:
    result = subprocess.run(["git", "-C", str(PROJECT), *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        raise CommitError(f"git {arguments[0]}: {result.stderr.strip().splitlines()[-1]}")


def _python(folder: Path, arguments: Sequence[str], label: str, stdout: int) -> subprocess.CompletedProcess[str]:
    """Run Python with the project in `folder`; exit code 1 (a trial failed) is for the comparison to show."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    result = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, text=True, check=False,
        stdout=stdout, stderr=subprocess.PIPE if stdout == subprocess.PIPE else None,
    )  # fmt: skip
    if result.returncode > 1 or (stdout == subprocess.PIPE and result.returncode):
        told = (result.stderr or "see above").strip().splitlines()[-1]
        raise CommitError(f"{label} cannot do this spec: {told}")
    return result


def values_of(versions: Sequence[Version], registry: Registry) -> dict[tuple[str, str], tuple[str, dict[str, float]]]:
    """Status and final values by (trial, fingerprint)."""
    trials = sorted({row["trial"] for version in versions for row in version.rows})
    table = registry.table(
        "SELECT t.trial, t.fingerprint, t.status, m.metric, m.value FROM trials t LEFT JOIN metrics m USING (record)"
        " WHERE t.trial IN (SELECT unnest($1::VARCHAR[]))",
        [trials],
    )
    found: dict[tuple[str, str], tuple[str, dict[str, float]]] = {}
    for row in table.to_pylist():
        _, values = found.setdefault((row["trial"], row["fingerprint"]), (row["status"], {}))
        if row["metric"] is not None:
            values[row["metric"]] = row["value"]
    return found
