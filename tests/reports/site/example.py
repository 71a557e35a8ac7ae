"""A registry whose names would do harm if they were not escaped: 3 methods on 2 tasks with 7 seeds, one diverges."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from registry import Registry
from tests.registry.samples import benchmark, digest, point, run, trial

#: A name, and how every page shows it: markup as text, the mark that turns the order of what follows as an escape.
HOSTILE = '<script>alert("method")</script>\u202e'
SHOWN = HOSTILE.replace("\u202e", "\\u202e")
SWEPT = "adamw[lr=0.001]"
METHODS = ("sgd", SWEPT, HOSTILE)
TASKS = ("depth-train", "</script><img src=x onerror=alert(1)>")
SEEDS = range(7)
STEPS = range(0, 100, 10)


def filled_registry(folder: Path) -> Registry:
    """A synced registry; the hostile method diverges on its last seed."""
    registry = Registry(folder)
    with registry.writer("run-1") as writer:
        for number, cell in enumerate(cells()):
            writer.append(_trial(number, *cell))
        writer.append(_run())
        for value in (1e-3, 1.1e-3):
            writer.append(benchmark("adam", value) | {"started": 1e6 * value, "commit": f"{int(1e6 * value):040x}"})
    registry.sync()
    return registry


def cells() -> list[tuple[str, str, int]]:
    """Method, task and seed of every trial; its place is its number."""
    return [(method, task, seed) for task in TASKS for method in METHODS for seed in SEEDS]


def _trial(number: int, method: str, task: str, seed: int) -> dict[str, Any]:
    lost = method == HOSTILE and seed == SEEDS[-1]
    top = 0.7 + 0.1 * METHODS.index(method) + 0.003 * ((5 * seed) % 7)
    steps = [step for step in STEPS if not lost or step < 40]
    curve = [point("accuracy", step, top * (1 - math.exp(-step / 20)), step / 100) for step in steps]
    params = {"lr": 0.001, "note": HOSTILE}
    return trial(
        number,
        identity={
            **trial()["identity"],
            "seed": seed,
            "task": {"name": task, "version": 1, "params": {}},
            "slots": {"optimizer": {"name": method, "version": 1, "params": params}},
        },
        status="diverged" if lost else "ok",
        reason="loss became nan at step 40 <b>, see /secret-place/x.log" if lost else "",
        seconds=0.5 + 0.1 * METHODS.index(method),
        log=f"a line of {method} in /secret-place/x.py\n" if seed == 0 else "",
        points=curve,
    )


def _run() -> dict[str, Any]:
    plan = [
        {
            "trial": digest(f"trial {number}"),
            "fingerprint": digest("code 1"),
            "method": method,
            "task": task,
            "seed": seed,
        }
        for number, (method, task, seed) in enumerate(cells())
    ]
    metrics = [{"name": "accuracy", "direction": "max", "unit": "1", "help": f"share of right labels {HOSTILE}"}]
    described = {
        "key": "depth-train",
        "title": f"A task {HOSTILE}",
        "summary": "Train.",
        "source": "arXiv:1312.6120",
        "metrics": metrics,
        "varies": ["init"],
        "target": {"metric": "accuracy", "value": 0.6},
    }
    card = {
        "key": "adamw",
        "title": f"AdamW {HOSTILE}",
        "summary": "Decoupled decay.",
        "paper": "arXiv:1711.05101",
        "params": [{"name": "lr", "default": 0.01, "help": "learning rate"}],
    }
    claim = {
        "id": "adamw-beats-sgd",
        "text": f"AdamW beats SGD {HOSTILE}",
        "source": "section 4",
        "paper": "0.9 against 0.8",
        "n": 7,
        "effect": {
            "metric": "accuracy",
            "task": "depth-train",
            "better": SWEPT,
            "than": "sgd",
            "margin": 0.01,
            "relative": False,
        },
    }
    return run(
        [],
        plan=plan,
        tasks=dict.fromkeys(TASKS, described),
        components={method: {"optimizer": card} for method in METHODS},
        claims=[claim],
        argv=["/secret-place/bin/bench", "run", "quickstart", "--registry", "/secret-place/r", "-j", "1"],
        title="=1+1, a title",
    )
