"""What `bench nightly` does: two versions of the code, their methods and kernels, decided and stored.

A version that is not the checkout itself is a git worktree in a temporary folder; the user's checkout is never touched.
"""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.bisect import full_name, git, kernel_sources
from harness.commits import WORKING_TREE, CommitError, checkout, values_of, versions_of
from harness.gate import Gated, GateError, gate

if TYPE_CHECKING:
    from harness.commits import Version
    from registry import Registry
    from reports.model import Task, Trial
    from reports.regressions import Judged, Night

Tell = Callable[[str], None]
#: What is decided of one kernel, control or method: the fields of its record.
Entry = dict[str, Any]
#: (trial, fingerprint) of one seed.
Answer = tuple[str, str]


def run_night(
    registry: Registry, suite: Sequence[str], base: str | None, commit: str | None, tell: Tell = lambda line: None
) -> Night | None:
    """Measure, decide and store one night; None where neither commit is named and the last night measured this one.

    Args:
        suite: specs, by name or path; a shipped one is taken from each version's own library.
        base: commit to compare with; by default that of the last night, else the parent.
        commit: commit to measure; by default the checkout as it is.

    Raises:
        CommitError: a commit is unknown, or a version cannot plan a spec.
    """
    from reports.regressions import load_night

    head = full_name(commit or "HEAD")
    edited = commit is None and bool(git("status", "--porcelain", "--untracked-files=no"))
    last = load_night(registry) if registry.exists() else None
    if last is not None and base is None and commit is None and not edited and last.commit == head:
        return None
    against = full_name(base) if base else _known(last.commit.rstrip("+") if last else "") or full_name(f"{head}^")
    if against == head and not edited:
        raise CommitError(f"{head[:12]} cannot be compared with itself; name another --base")
    label = head if commit else WORKING_TREE
    entries = [entry for spec in suite for entry in _methods(spec, [against, label], registry, tell)]
    with checkout(against) as old, checkout(label) as new:
        entries += _kernels(old, new, int(head, 16), tell)
    return _store(registry, entries, " ".join(suite), against, head + "+" * edited)


def _methods(source: str, labels: Sequence[str], registry: Registry, tell: Tell) -> list[Entry]:
    """The entries of all methods and tasks of a spec, differences confirmed on fresh seeds."""
    from harness import api

    spec, _ = api.load(source)
    tell(f"running {spec.name} at {labels[0][:12]} and {labels[1][:12]}")
    found = _judged(_named(source), labels, registry)
    if any(entry["decision"] in ("worse", "better") and entry["varies"] for entry, _ in found):
        tell(f"running {spec.name} again, on fresh seeds")
        first = max(spec.seeds) + 1
        with tempfile.TemporaryDirectory(prefix="methodbench-") as folder:
            again = Path(folder) / "fresh.yaml"
            seeds = list(range(first, first + max(8, len(spec.seeds))))
            origin = _named(source)
            again.write_text(f"name: {spec.name}-fresh\nextends: {json.dumps(str(origin))}\nseeds: {seeds}\n")
            fresh = {_place(entry): judged for entry, judged in _judged(again, labels, registry)}
    else:
        fresh = {}
    return [{**_confirmed(entry, fresh.get(_place(entry))), "spec": spec.name} for entry, _ in found]


def _place(entry: Entry) -> tuple[str, str, str]:
    return entry["method"], entry["task"], entry["metric"]


def _confirmed(entry: Entry, again: Judged | None) -> Entry:
    """A difference counts where fresh seeds show it too; an exact one counts at once."""
    words = {"worse": "regressed", "better": "improved"}
    found = entry["decision"]
    if found not in words:
        return entry
    if entry["varies"]:
        if again is None or again.decision != found:
            return {**entry, "decision": f"not confirmed {found}"}
        entry = {**entry, "second": again.estimate}
    return {**entry, "decision": words[found]}


def _judged(spec: Path, labels: Sequence[str], registry: Registry) -> list[tuple[Entry, Judged | None]]:
    """Each method and task of the newer version against the older one, by every metric that has a better end.

    The ranking metric alone would miss faults: an accuracy near its ceiling hardly moves when an optimizer is wrong.
    """
    from reports.versions import by_method

    commits = [label for label in labels if label != WORKING_TREE]
    old, new = versions_of(spec, commits, registry, run=True)
    before, now = _answers(old), _answers(new)
    found: list[tuple[Entry, Judged | None]] = []
    for method, results in by_method([old, new], values_of([old, new], registry)).items():
        for _, task, cells in results.cells():
            pair = (method, task.label)
            if pair not in now:
                continue
            entry = {"benchmark": "gate.method", "method": method, "task": task.label, "varies": bool(task.varies)}
            decision = _without_numbers(cells[new.label], before.get(pair), now[pair])
            if decision:
                found.append(({**entry, "metric": task.metrics[0].name, **decision}, None))
            else:
                found += _by_metric(entry, task, cells[old.label], cells[new.label])
    return found


def _without_numbers(trials: Sequence[Trial], before: set[Answer] | None, now: set[Answer]) -> Entry:
    """A decision that needs no comparison; empty where the numbers decide."""
    from harness.api import FAILED

    failed = sorted({trial.status for trial in trials if trial.status in FAILED})
    if failed:
        return {"decision": "failed", "error": ", ".join(failed)}
    if before is None:
        return {"decision": "new"}
    if before == now:
        return {"decision": "equal"}
    restarted = {trial for trial, _ in before}.isdisjoint(trial for trial, _ in now)
    return {"decision": "restarted"} if restarted else {}


def _by_metric(
    entry: Entry, task: Task, before: Sequence[Trial], now: Sequence[Trial]
) -> Iterator[tuple[Entry, Judged | None]]:
    from reports.leaderboard import scores
    from reports.regressions import judge

    for metric in [m for m in task.metrics if m.direction != "none"] or task.metrics[:1]:
        judged = judge(scores(before, metric), scores(now, metric), metric.direction, bool(task.varies))
        yield {**entry, "metric": metric.name, **_numbers(judged)}, judged


def _numbers(judged: Judged | None) -> Entry:
    if judged is None:
        return {"decision": "failed", "error": "no seed has a result in both versions"}
    measured = {"value": judged.estimate, "low": judged.low, "high": judged.high}
    return {"decision": judged.decision, "n": judged.n, "margin": judged.margin, **measured}


def _answers(version: Version) -> dict[tuple[str, str], set[Answer]]:
    """(trial, fingerprint) of all seeds by (method, task)."""
    found: dict[tuple[str, str], set[Answer]] = {}
    for row in version.rows:
        found.setdefault((row["method"], row["task"]), set()).add((row["trial"], row["fingerprint"]))
    return found


def _named(source: str) -> Path:
    """What both versions open: the name of a shipped spec, which each looks up in its own library, or a full path."""
    from specs import library_names

    return Path(source) if source in library_names() else Path(source).resolve()


def _kernels(base: Path, head: Path, turn: int, tell: Tell) -> list[Entry]:
    """One entry for each kernel, and for the control: this version against itself in the same rounds.

    Kernels with equal sources are equal; where none changed, one of them, by turns, is the control of the night.
    """
    before, now = kernel_sources(base), kernel_sources(head)
    changed = [name for name in now if name in before and before[name] != now[name]]
    entries = [
        {"benchmark": "gate.kernel", "kernel": name, "decision": decision}
        for names, decision in (
            ([name for name in now if before.get(name) == now[name]], "equal"),
            ([name for name in now if name not in before], "new"),
            ([name for name in before if name not in now], "removed"),
        )
        for name in names
    ]
    idle = sorted(now)[turn % len(now)]
    try:
        if changed:
            compared, control = gate(base, head, changed, control=True, tell=tell)
        else:
            compared, control = [], gate(head, head, [idle], tell=tell)[0]
    except GateError as error:
        compared, control = [Gated(name, error=str(error)) for name in changed or [idle]], []
    entries += [_gated("gate.kernel", one) for one in compared]
    return entries + [_gated("gate.control", one) for one in control]


def _gated(benchmark: str, gated: Gated) -> Entry:
    entry: Entry = {"benchmark": benchmark, "kernel": gated.kernel, "decision": gated.decision}
    if gated.first is None:
        return {**entry, "error": gated.error}
    if gated.second is not None:
        entry |= {"second": gated.second.ratio, "second_ratios": list(gated.second.ratios)}
    ratios = gated.first.ratios
    return {**entry, "n": gated.n, "p": gated.first.p, "value": gated.first.ratio, "samples": list(ratios)}


#: Fields of a record of kind "benchmark"; everything else of an entry goes into its `params`.
MEASURED = ("value", "low", "high", "samples")


def _store(registry: Registry, entries: Sequence[Entry], suite: str, base: str, commit: str) -> Night:
    """Write the records of a night and read it back."""
    from harness.engines.environment import environment, machine_id
    from reports.regressions import load_night

    facts, started = environment(), time.time()
    night = f"nightly-{time.strftime('%Y%m%dT%H%M%S', time.gmtime(started))}-{uuid.uuid4().hex[:6]}"
    with registry.writer(night) as writer:
        for entry in ({"benchmark": "gate.night", "suite": suite, "decision": ""}, *entries):
            params = {key: value for key, value in entry.items() if key not in ("benchmark", *MEASURED)}
            writer.append(
                {
                    "kind": "benchmark",
                    "schema": 1,
                    "run": night,
                    "machine": machine_id(facts),
                    "environment": dict(facts),
                    "started": started,
                    "commit": commit,
                    "benchmark": entry["benchmark"],
                    "version": "1",
                    "status": "error" if entry["decision"] == "failed" else "ok",
                    "params": {**params, "night": night, "base": base},
                    **{key: entry[key] for key in MEASURED if key in entry},
                }
            )
    registry.sync()
    stored = load_night(registry, night)
    assert stored is not None
    return stored


def _known(commit: str) -> str:
    """The commit, empty where this repository does not have it (any more)."""
    try:
        return full_name(commit) if commit else ""
    except CommitError:
        return ""
