"""How often the gate is wrong: identical code called slower or faster, and a kernel with 10 % more work not found.

METHODBENCH_GATE_COMPARISONS asks for fewer comparisons than 300 of identical code, METHODBENCH_GATE_SLOWER for fewer
than 50 of the slower kernel.  A comparison is what a night does, 20 fresh processes, and 20 more where the first series
finds a difference; at 2 s a process 350 comparisons take five hours.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from harness.gate import Gated, gate
from harness.keys import PROJECT
from reports.regressions import upper_bound

#: Identical code: the kernels share the processes, so each series gives one comparison for each of them.
KERNELS = ("adam", "dare", "lion", "onebit", "solver_step", "ties", "top_k", "weighted_sum")
SLOWED = "dare"
CALL = "    _cpu(array(addresses(experts)), keys, factors, limit, scale, array(base), array(merged), array(kept))\n"
#: The first tenth of the elements once more.
TENTH = """    few = base.numel() // 10
    some = [expert.view(-1)[:few] for expert in experts]
    again = (array(base.view(-1)[:few]), array(merged.view(-1)[:few].clone()), array(kept.clone()))
    _cpu(array(addresses(some)), keys, factors, limit, scale, *again)
"""


def measure() -> dict[str, Any]:
    """Decisions on identical and on slower code, counted."""
    same = int(os.environ.get("METHODBENCH_GATE_COMPARISONS", "300"))
    slower = int(os.environ.get("METHODBENCH_GATE_SLOWER", "50"))
    with tempfile.TemporaryDirectory(prefix="methodbench-") as name:
        base, copy, slow = (copied(Path(name) / side) for side in ("base", "copy", "slow"))
        file = slow / "kernels" / f"{SLOWED}.py"
        text = file.read_text()
        assert text.count(CALL) == 1, f"{file.name} has changed"
        file.write_text(text.replace(CALL, CALL + TENTH))
        identical: list[Gated] = []
        while len(identical) < same:
            identical += gate(base, copy, KERNELS[: same - len(identical)])[0]
        found = [gate(base, slow, [SLOWED])[0][0] for _ in range(slower)]
    alarms = sum(one.decision in ("slower", "faster") for one in identical)
    return {
        "identical": len(identical),
        "false_alarms": alarms,
        "false_alarm_rate_below": round(upper_bound(alarms, len(identical)), 4),
        "false_alarms_of_the_first_series": alarms + sum(one.decision == "not confirmed" for one in identical),
        "too_noisy": sum(one.decision == "too noisy" for one in identical),
        "ratios_of_identical_code": ratios(identical),
        "slower": len(found),
        "found": sum(one.decision == "slower" for one in found),
        "too_noisy_to_find": sum(one.decision == "too noisy" for one in found),
        "ratios_of_slower_code": ratios(found),
        "load_average": round(os.getloadavg()[2], 1),
    }


def copied(folder: Path) -> Path:
    """A copy of what the gate's processes import."""
    shutil.copytree(PROJECT / "kernels", folder / "kernels", ignore=shutil.ignore_patterns("__pycache__", ".asv"))
    return folder


def ratios(gated: list[Gated]) -> list[float]:
    """Smallest and largest ratio of the first series."""
    found = [one.first.ratio for one in gated if one.first is not None]
    return [round(min(found), 3), round(max(found), 3)] if found else []
