"""The same for notebooks as for the command line: load, plan, run, table, compare.

import harness.api as bench

plan = bench.plan("quickstart")
summary = bench.run(plan)
bench.table("quickstart").to_pandas()
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.answers import cached as cached
from harness.catalog import Catalogue, load_catalogue
from kernels.core.backends import Backend

if TYPE_CHECKING:
    import pyarrow as pa

    from harness.engines.recorder import Job
    from harness.engines.worker import Finished
    from harness.plan import Plan, Trial
    from registry import Registry
    from registry.log import Durability
    from reports.claims import Verdict
    from reports.compare import Comparison
    from specs import Spec

#: Statuses that make `bench run` exit with 1.
FAILED = frozenset({"error", "timeout", "out-of-memory", "killed", "lost"})


class NotAllowed(Exception):
    """The spec names plugins and the user has not allowed them."""


@dataclass(frozen=True)
class RunOptions:
    """How to run a plan.

    Args:
        workers: parallel trials; None takes one per core.
        exclusive: one trial at a time, so that seconds count.
        force: run every trial, whatever the registry holds.
        retry_failed: run trials again whose last status was error.
        timeout: seconds per trial; None takes 60 or twenty times the predicted time, whichever is more.
        memory_limit: resident bytes per worker; None takes 80 % of the machine's memory over the workers.
        durability: "batch" syncs the log every 64 trials or 0.5 s, "trial" syncs each.
    """

    workers: int | None = None
    exclusive: bool = False
    force: bool = False
    retry_failed: bool = False
    timeout: float | None = None
    memory_limit: int | None = None
    durability: Durability = "batch"

    def worker_count(self, trials: int) -> int:
        """Workers to start for so many trials."""
        asked = 1 if self.exclusive else self.workers or len(os.sched_getaffinity(0))
        return max(1, min(asked, trials))


@dataclass
class Summary:
    """What a run did."""

    run: str
    registry: Path
    planned: int
    cached: int
    statuses: Counter[str] = field(default_factory=Counter)
    failures: list[Finished] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def failed(self) -> bool:
        """True when a trial ended in a way that is nobody's result."""
        return any(self.statuses[status] for status in FAILED)

    def after(self, study: Summary) -> Summary:
        """This run and the study before it as one, under this run's name."""
        return Summary(
            self.run,
            self.registry,
            study.planned + self.planned,
            study.cached + self.cached,
            study.statuses + self.statuses,
            [*study.failures, *self.failures],
            study.seconds + self.seconds,
            self.interrupted,
        )


def load(source: str | Path, allow_plugins: bool = False) -> tuple[Spec, Catalogue]:
    """Read and validate a spec, given as a path or by the name of a shipped one.

    Raises:
        specs.SpecErrors: everything that is wrong with the file.
        NotAllowed: it names plugins and `allow_plugins` is False.
    """
    import specs

    plugins = specs.plugins_of(source)
    if plugins and not allow_plugins:
        names = ", ".join(path.name for path in plugins)
        raise NotAllowed(f"{source}: the spec runs code of its own ({names}); read it, then add --allow-plugins")
    catalogue = load_catalogue(plugins)
    return specs.load(source, catalogue), catalogue


def plan(
    source: str | Path,
    only: str | None = None,
    limit: int | None = None,
    smoke: bool = False,
    allow_plugins: bool = False,
    backend: Backend = "auto",
) -> Plan:
    """The trials of a spec; see `harness.plan.make_plan` for the arguments.

    A spec with `tuning` has a study before its ranked trials.  A smoke run tunes nothing, and `limit` counts ranked
    trials.
    """
    from harness.plan import make_plan

    spec, catalogue = load(source, allow_plugins)
    ranked = partial(make_plan, spec, catalogue, data_hash, only, limit, smoke, backend)
    if spec.tuning is None or smoke:
        return ranked()
    from harness.tuning.study import with_study

    build = partial(make_plan, catalogue=catalogue, data_hash=data_hash, backend=backend)
    return with_study(ranked(), ranked, build, catalogue["components"])


def settle(plan: Plan, registry: Registry) -> Plan:
    """The plan with the parameters that its study chose, as the registry answers it now; any other plan as it is."""
    return plan.study.settle(plan, registry) if plan.study else plan


def data_hash(name: str) -> str:
    """Content hash of a data set, "absent" where it is missing."""
    from harness.parts.datasets import content_hash

    return content_hash(name)


def open_registry(path: Path | None = None) -> Registry:
    """The registry at `path`, else the one METHODBENCH_REGISTRY names, else the project's."""
    from registry import Registry, find_registry

    return Registry(find_registry(Path.cwd(), path, os.environ))


def run(
    plan: Plan,
    registry: Registry | None = None,
    options: RunOptions | None = None,
    observe: Callable[[Finished], None] = lambda finished: None,
) -> Summary:
    """Run what the registry does not hold yet, and store it: first the plan's study, where it has one.

    An interrupt stops the workers; what had ended is stored, and the next run goes on from there.
    """
    registry, options = registry or open_registry(), options or RunOptions()
    if plan.study is not None:
        study = run(plan.study.plan, registry, options, observe)
        if study.interrupted:
            study.planned += len(plan.trials)
            return study
        registry.sync()
        return run(settle(plan, registry), registry, options, observe).after(study)
    registry.sync(wait=False)
    mark_lost(registry)
    known = cached(plan, registry, options)
    trials = [trial for trial in plan.trials.values() if trial.id not in known]
    return _execute(trials, registry, options, observe, plan)


def run_trials(trials: Sequence[Trial], registry: Registry, options: RunOptions | None = None) -> Summary:
    """Run these trials, whatever the registry holds, without a spec around them."""
    return _execute(trials, registry, options or RunOptions(), lambda finished: None, None)


def _execute(
    trials: Sequence[Trial],
    registry: Registry,
    options: RunOptions,
    observe: Callable[[Finished], None],
    plan: Plan | None,
) -> Summary:
    from harness.engines.environment import commit, environment, machine_id
    from harness.engines.recorder import RunInfo, run_record

    facts, workers, begin = environment(), options.worker_count(len(trials)), time.perf_counter()
    planned = len(plan.trials) if plan else len(trials)
    summary = Summary(_run_id(), registry.folder.root, planned, planned - len(trials))
    info = RunInfo(summary.run, machine_id(facts), facts, contended=workers > 1)
    with registry.writer(summary.run, options.durability) as writer:
        if plan is not None:
            writer.append(run_record(plan, info, time.time(), sys.argv, commit()))
        if trials:
            from harness.engines.local import run_jobs

            jobs = [_job(trial, options) for trial in trials]
            limit = options.memory_limit or int(0.8 * int(facts["memory_bytes"]) / workers)
            try:
                for finished in run_jobs(jobs, registry.folder.root, info, writer, workers, limit, options.durability):
                    summary.statuses[finished.status] += 1
                    if finished.status in FAILED:
                        summary.failures.append(finished)
                    observe(finished)
            except KeyboardInterrupt:
                summary.interrupted = True
    registry.sync(wait=False)
    summary.seconds = time.perf_counter() - begin
    return summary


def mark_lost(registry: Registry) -> int:
    """Give `lost` to every trial that an ended run of this machine planned and never recorded; says how many."""
    from harness.engines.environment import environment, machine_id
    from harness.engines.recorder import lost_record

    facts = environment()
    missing = registry.planned_but_missing(machine_id(facts))
    if missing:
        with registry.writer(_run_id()) as writer:
            for planned in missing:
                writer.append(lost_record(planned, facts))
        registry.sync(wait=False)
    return len(missing)


def table(*specs: str, registry: Registry | None = None) -> pa.Table:
    """Final values as an Arrow table, one row per method, task, seed and metric, of the newest run of each spec."""
    from reports.results import load_results

    return load_results(registry or open_registry(), specs).table()


def claims(*specs: str, registry: Registry | None = None) -> list[Verdict]:
    """The verdict on every claim of the newest run of each spec, by default of all that ran; nothing is run."""
    from reports.claims import verdicts
    from reports.results import load_results

    return verdicts(load_results(registry or open_registry(), specs))


def compare(a: str, b: str, *specs: str, registry: Registry | None = None) -> Comparison:
    """Method `a` against method `b` over the same tasks and seeds."""
    from reports.compare import compare as compare_methods
    from reports.results import load_results

    return compare_methods(load_results(registry or open_registry(), specs), a, b)


def compare_commits(
    spec: Path, commits: Sequence[str], registry: Registry, run: bool = False, allow_plugins: bool = False
) -> dict[str, Comparison]:
    """For each method of a spec the newer version of the code against the older one; see `harness.commits`."""
    from harness.commits import values_of, versions_of
    from reports.compare import compare as compare_methods
    from reports.versions import by_method

    versions = versions_of(spec, commits, registry, run, allow_plugins)
    old, new = (version.label for version in versions)
    found = by_method(versions, values_of(versions, registry))
    return {method: compare_methods(results, new, old) for method, results in found.items()}


def _job(trial: Trial, options: RunOptions) -> Job:
    from harness.engines.recorder import Job

    predicted = max(trial.seconds, float(trial.identity["budget"].get("seconds", 0.0)))
    timeout = options.timeout or max(60.0, 20 * predicted)
    return Job(trial.id, trial.identity, trial.payload, trial.fingerprint.id, trial.fingerprint.data, timeout)


def _run_id() -> str:
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + "-" + uuid.uuid4().hex[:6]
