"""The worker's side of the local engine: find the components, check the sources, run, record.

A worker keeps everything it imported for its life; what it reports as fingerprint is the hash of the sources at the
moment it imported them, not of what lies on disk later.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engines.recorder import LOG_BYTES, Job, RunInfo, trial_record
from harness.keys import Fingerprint, Sources, library_versions

if TYPE_CHECKING:
    from harness.artefacts import ArtefactStore
    from registry import LogWriter


@dataclass(frozen=True)
class WorkerConfig:
    """What a worker is told when it starts."""

    registry: Path
    scratch: Path
    info: RunInfo
    durability: str
    driver: int


@dataclass(frozen=True)
class Finished:
    """What a worker tells the driver; the record itself is already in the worker's log."""

    trial: str
    status: str
    reason: str
    seconds: float


class Worker:
    """State of one worker process."""

    def __init__(self, config: WorkerConfig) -> None:
        from harness.artefacts import ArtefactStore
        from registry import Registry

        self.config = config
        self.writer: LogWriter = Registry(config.registry).writer(config.info.run, config.durability)
        self.artefacts: ArtefactStore = ArtefactStore(config.registry / "artefacts", self.recipe_hash)
        self.capture = Capture(config.scratch / f"{os.getpid()}.out")
        self.sources = Sources()
        self.sources.closure([])
        self.stamps: dict[str, tuple[int, int]] = {}
        self.components: dict[tuple[str, str], Callable[..., Any]] = {}
        self.fingerprints: dict[tuple[str, ...], Mapping[str, str]] = {}

    def run(self, job: Job) -> Finished:
        """Run one job, append its record, and say how it ended."""
        from harness.loop.trial import Outcome, Request, run_trial

        started, begin = time.time(), time.perf_counter()
        self.capture.begin(job.trial)
        fingerprint: Fingerprint | None = None
        try:
            task, components, modules = self.load(job.payload)
            fingerprint = Fingerprint(modules, library_versions(), job.data)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            outcome = Outcome("error", reason, _traceback())
        else:
            if fingerprint.id == job.fingerprint:
                outcome = run_trial(Request(
                    task, job.payload["task"]["params"], job.payload["slots"], components, job.identity["seed"],
                    job.identity["budget"], job.identity["dtype"], job.identity["cadence"], self.artefacts.get,
                ))  # fmt: skip
            else:
                outcome = Outcome("skipped", "source changed during the run; run again")
        outcome.total_seconds = time.perf_counter() - begin
        log = self.capture.end(outcome.traceback)
        self.writer.append(trial_record(job, self.config.info, fingerprint, outcome, started, log))
        return Finished(job.trial, outcome.status, outcome.reason, outcome.seconds)

    def load(self, payload: Mapping[str, Any]) -> tuple[Callable[..., None], dict[str, Callable[..., Any]], Mapping[str, str]]:
        """Task, components by "slot:name", and the module hashes they were imported with."""
        entries = {"task": payload["task"], **payload["components"]}
        for entry in entries.values():
            if not entry["module"].startswith("harness."):
                self.sources.plugins[entry["module"]] = Path(entry["file"])
        roots = tuple(payload["roots"])
        if roots not in self.fingerprints:
            self.fingerprints[roots] = self.sources.closure(roots)
        loaded = {name: self._object(entry) for name, entry in entries.items()}
        return loaded.pop("task"), loaded, self.fingerprints[roots]

    def recipe_hash(self, recipe: Callable[..., Any]) -> str:
        """Hash of all code an artefact's recipe can reach."""
        return Fingerprint(self.sources.closure([recipe.__module__]), library_versions(), {}).id

    def _object(self, entry: Mapping[str, Any]) -> Callable[..., Any]:
        place = entry["module"], entry["attr"]
        if place not in self.components:
            module = sys.modules.get(entry["module"]) or import_source(entry["module"], Path(entry["file"]))
            self.components[place] = getattr(module, entry["attr"])
        return self.components[place]


class Capture:
    """Everything the process writes to stdout and stderr, kept in one file per worker.

    The first line names the trial, so that the driver finds the text of a trial whose worker died.
    """

    def __init__(self, file: Path) -> None:
        self._fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        for stream in (1, 2):
            os.dup2(self._fd, stream)

    def begin(self, trial: str) -> None:
        os.ftruncate(self._fd, 0)
        os.write(self._fd, f"{trial} {time.time()}\n".encode())

    def end(self, traceback: str) -> str:
        """What was written since `begin` (its end, if long), with the traceback after it."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError):
                stream.flush()
        return read_capture(self._fd)[2] + traceback


def read_capture(fd: int) -> tuple[str, float, str]:
    """Trial named in a capture file, when it began, and the last part of the text after that line."""
    size = os.fstat(fd).st_size
    head = os.pread(fd, 80, 0).partition(b"\n")[0]
    trial, _, started = head.decode(errors="replace").partition(" ")
    begin = max(len(head) + 1, size - LOG_BYTES)
    return trial, float(started or 0.0), os.pread(fd, max(size - begin, 0), begin).decode(errors="replace")


def import_source(module: str, file: Path) -> Any:
    """Import a project module by name or a plugin by file."""
    if module.startswith("harness."):
        return importlib.import_module(module)
    if importlib.util.find_spec(module.partition(".")[0]) is not None:
        return importlib.import_module(module)
    spec = importlib.util.spec_from_file_location(module, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be imported")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module] = loaded
    try:
        spec.loader.exec_module(loaded)
    except BaseException:
        del sys.modules[module]
        raise
    return loaded


def _traceback() -> str:
    import traceback

    return traceback.format_exc()


_worker: Worker | None = None


def start_worker(config: WorkerConfig) -> None:
    """Set this process up as a worker: no interrupts of its own, gone when the driver goes."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with, args=(config.driver,), daemon=True).start()
    (config.scratch / f"{os.getpid()}.pid").touch()
    _worker = Worker(config)


def run_job(job: Job) -> Finished:
    """Run one job in this worker."""
    assert _worker is not None, "start_worker runs first"
    return _worker.run(job)


def _die_with(driver: int) -> None:
    """Wait for the driver's end, then end this process."""
    try:
        fd = os.pidfd_open(driver)
    except OSError:
        os._exit(1)
    select.select([fd], [], [])
    os._exit(1)
