"""The exact tasks' reference values, run through the whole harness: spec, workers, registry."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from harness import api
from registry import Registry

SPEC = """
name: exact
methods:
  ancestral: {sampler: {name: mdm-ancestral, num_inference_steps: {grid: [1, 2, 4, 8, 16, 32]}}}
  euler: {sampler: euler}
  heun: {sampler: heun}
tasks: [seq-markov, {name: gauss-aniso, num_inference_steps: {grid: [5, 10, 20, 40, 80]}}]
seeds: 1
"""
#: Published values: total variation of ancestral sampling, and W2 to the data of heun at 20 steps.
EXPECTED_TV = (0.565, 0.308, 0.160, 0.0816, 0.0412, 0.0207)


def measure() -> dict[str, Any]:
    """Total variation of ancestral sampling by N, and W2 to the data of euler and heun by number of steps."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "exact.yaml"
        file.write_text(SPEC)
        registry = Registry(Path(folder) / "registry")
        summary = api.run(api.plan(file), registry)
        assert not summary.failed, summary
        rows = registry.query(
            "SELECT p.method, p.task, m.metric, m.value FROM plan p JOIN metrics m USING (trial)"
            " WHERE m.metric IN ('tv', 'w2_data')", 1000, 10,
        ).to_pylist()  # fmt: skip
    found = {(row["method"], row["task"]): row["value"] for row in rows}
    return {
        "seq_markov_tv": {method: round(v, 4) for (method, task), v in sorted(found.items()) if task == "seq-markov"},
        "seq_markov_tv_expected": list(EXPECTED_TV),
        "gauss_aniso_w2": {f"{m} @ {t}": round(v, 4) for (m, t), v in sorted(found.items()) if t != "seq-markov"},
        "seconds": round(summary.seconds, 2),
    }
