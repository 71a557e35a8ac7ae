"""Which way of merging keeps most of four rotation experts, seed by seed."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

from harness import api
from registry import Registry

SEEDS = 10
#: `base` is task arithmetic at scale zero.
SPEC = f"""
name: merge-order
methods:
  base: {{merger: {{name: task-arithmetic, lambda_: 0.0}}}}
  average: {{merger: average}}
  task-arithmetic: {{merger: {{name: task-arithmetic, lambda_: 0.3}}}}
  ties: {{merger: {{name: ties, density: 0.2}}}}
  fisher: {{merger: fisher}}
tasks: [merge-rotations]
seeds: {SEEDS}
"""
ORDER = ("task-arithmetic", "average", "ties", "base")


def measure() -> dict[str, Any]:
    """Normalised accuracy by method: its mean, and in how many seeds the order expected holds, whole and by pairs."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "merge-order.yaml"
        file.write_text(SPEC)
        registry = Registry(Path(folder) / "registry")
        summary = api.run(api.plan(file), registry)
        assert not summary.failed, summary
        rows = registry.query(
            "SELECT p.method, p.seed, m.value FROM plan p JOIN metrics m USING (trial)"
            " WHERE m.metric = 'normalized_accuracy'", 1000, 10,
        ).to_pylist()  # fmt: skip
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        found.setdefault(row["method"], {})[row["seed"]] = row["value"]
    pairs = list(itertools.pairwise(ORDER))
    return {
        "mean": {name: round(sum(values.values()) / SEEDS, 4) for name, values in sorted(found.items())},
        "least": {name: round(min(values.values()), 4) for name, values in sorted(found.items())},
        "most": {name: round(max(values.values()), 4) for name, values in sorted(found.items())},
        "order_holds_in": sum(all(found[a][s] > found[b][s] for a, b in pairs) for s in range(SEEDS)),
        "pairs_hold_in": {f"{a} > {b}": sum(found[a][s] > found[b][s] for s in range(SEEDS)) for a, b in pairs},
        "fisher_beats_average_in": sum(found["fisher"][s] > found["average"][s] for s in range(SEEDS)),
        "seeds": SEEDS,
    }
