"""Run one stored trial in this process, under the debugger."""

from __future__ import annotations

import pdb
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.artefacts import ArtefactStore
from harness.catalog import load_catalogue
from harness.engines.worker import import_source
from harness.keys import Fingerprint, Sources, library_versions
from harness.loop.state import reset_state
from harness.loop.trial import Request, call_task, make_context
from harness.plan import make_payload
from harness.protocols.context import Diverged, Skip


def debug_trial(record: Mapping[str, Any], registry: Path, plugins: Sequence[Path], stop: bool) -> str:
    """Run the trial of a record again; a post-mortem opens where it raises.

    Args:
        record: the stored record.
        registry: where shared artefacts lie.
        plugins: files of components or tasks that are not shipped.
        stop: also stop at the first line of the task.

    Returns:
        One line on how it ended.
    """
    request = make_request(record["identity"], registry, plugins)
    reset_state(request.seed)
    ctx = make_context(request)
    try:
        if stop:
            debugger = pdb.Pdb()
            debugger.set_break(request.task.__code__.co_filename, request.task.__code__.co_firstlineno + 1)
            debugger.runcall(call_task, request, ctx)
        else:
            call_task(request, ctx)
    except (Skip, Diverged) as end:
        return f"{type(end).__name__.lower()}: {end}"
    except Exception as error:
        trace = error.__traceback__
        if sys.stdin.isatty():
            pdb.post_mortem(trace)
        else:
            raise
        return f"{type(error).__name__}: {error}"
    last = {point.metric: point.value for point in ctx.points}
    return "ended: " + ", ".join(f"{name} {value:.6g}" for name, value in last.items())


def make_request(identity: Mapping[str, Any], registry: Path, plugins: Sequence[Path]) -> Request:
    """What the loop needs to run the trial with this identity here and now."""
    payload = make_payload(identity, load_catalogue(plugins))
    sources = Sources({payload["task"]["module"]: Path(payload["task"]["file"])})
    store = ArtefactStore(
        registry / "artefacts", lambda recipe: Fingerprint(sources.closure([recipe.__module__]), library_versions(), {}).id
    )
    return Request(
        _load(payload["task"]), payload["task"]["params"], payload["slots"],
        {key: _load(place) for key, place in payload["components"].items()},
        identity["seed"], identity["budget"], identity["dtype"], identity["cadence"], store.get,
    )  # fmt: skip


def _load(place: Mapping[str, Any]) -> Any:
    return getattr(import_source(place["module"], Path(place["file"])), place["attr"])
