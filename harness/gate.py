"""Is a kernel slower than before?  Fresh processes of both versions in turns, and an exact signed-rank test.

One series is `PAIRS` rounds.  A round starts one fresh process for each side, in the order base, head and in the next
round head, base (ABBA), so that a slow phase of the machine meets both alike.  A process gives the least CPU time of a
call over several samples: what disturbs a call only makes it slower.  CPU time is right for code of one thread, as
all CPU forms are.

Slower: the median ratio head / base is above `EFFECT` and the one-sided exact signed-rank test on the log ratios gives
p < `ALPHA` (F. Wilcoxon, Biometrics Bulletin 1, 1945; zeros as in J. W. Pratt, JASA 54, 1959), and a second series of
fresh processes says the same.  Faster: the same of base / head.  Same: the test excludes that head takes `EXCLUDED`
times as long.  Anything else is too noisy to say.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

#: With 10 pairs the smallest p is 1/1024; fewer than 8 cannot reach `ALPHA`.
PAIRS = 10
EFFECT = 1.05
ALPHA = 0.005
EXCLUDED = 1.10

Decision = Literal["same", "slower", "faster", "not confirmed", "too noisy", "failed"]
#: One process: the kernels named as arguments, `name` or `name=elements`; prints {name: {n, seconds} or {error}}.
WORKER = """
import json, sys, time
from pathlib import Path
import torch
from kernels.core.listing import FOLDER, load_kernel

if FOLDER.parent.resolve() != Path.cwd():  # an installed copy would answer for a version that has no kernels
    sys.exit(f"it has none; {FOLDER} answered")

def least(call, samples=7, seconds=0.008):
    call()
    begin = time.process_time(); call(); call()
    repeats = max(1, int(2 * seconds / max(time.process_time() - begin, 1e-7)))
    end, taken = time.process_time() + 0.03, []
    while time.process_time() < end:
        call()
    for _ in range(samples):
        begin = time.process_time()
        for _ in range(repeats):
            call()
        taken.append((time.process_time() - begin) / repeats)
    return min(taken)

torch.set_num_threads(1)
found = {}
for name, _, n in (argument.partition("=") for argument in sys.argv[1:]):
    try:
        kernel = load_kernel(name)
        n = int(n or kernel.sizes[0])
        arguments = kernel.example(n, torch.float32, torch.Generator().manual_seed(0))
        found[name] = {"n": n, "seconds": least(lambda: kernel.run("cpu", arguments))}
    except Exception as error:
        found[name] = {"error": f"{type(error).__name__}: {error}"}
print(json.dumps(found))
"""


class GateError(Exception):
    """A version cannot be measured at all; one line."""


@dataclass(frozen=True)
class Series:
    """One series: seconds of a call of head over seconds of base, one ratio for each pair of processes."""

    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median ratio of head and base."""
        return math.exp(statistics.median(map(math.log, self.ratios)))

    @property
    def p(self) -> float:
        """One-sided p that head is not slower."""
        return one_sided_p([math.log(ratio) for ratio in self.ratios])

    @property
    def decision(self) -> Decision:
        """What this series alone says."""
        logs = [math.log(ratio) for ratio in self.ratios]
        if self.ratio > EFFECT and one_sided_p(logs) < ALPHA:
            return "slower"
        if self.ratio < 1 / EFFECT and one_sided_p([-x for x in logs]) < ALPHA:
            return "faster"
        return "same" if one_sided_p([math.log(EXCLUDED) - x for x in logs]) < ALPHA else "too noisy"


@dataclass(frozen=True)
class Gated:
    """A kernel of two versions of the code: the first series, the second where the first found a difference, a fault.

    Args:
        n: number of elements.
    """

    kernel: str
    n: int = 0
    first: Series | None = None
    second: Series | None = None
    error: str = ""

    @property
    def decision(self) -> Decision:
        """Slower and faster only where both series say so."""
        if self.first is None:
            return "failed"
        found = self.first.decision
        if found not in ("slower", "faster"):
            return found
        return found if self.second is not None and self.second.decision == found else "not confirmed"


def one_sided_p(differences: Sequence[float]) -> float:
    """Exact p that the differences are not above 0: the share of all signs whose positive ranks sum up as high.

    Equal sizes share their mean rank; zeros are ranked and then left out.  All 2^n signs are gone through: n <= 16.
    """
    sizes = [abs(d) for d in differences]
    ranks = [sum(s < size for s in sizes) + (sizes.count(size) + 1) / 2 for size in sizes]
    kept = [(rank, d > 0) for rank, d in zip(ranks, differences, strict=True) if d != 0]
    observed = sum(rank for rank, up in kept if up)
    sums = (
        sum(rank for (rank, _), up in zip(kept, signs, strict=True) if up)
        for signs in itertools.product((False, True), repeat=len(kept))
    )
    return sum(total >= observed for total in sums) / (1 << len(kept))


def gate(
    base: Path,
    head: Path,
    kernels: Sequence[str],
    control: bool = False,
    pairs: int = PAIRS,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[list[Gated], list[Gated]]:
    """Compare kernels of two checkouts; all kernels share the processes.

    Args:
        base, head: folders that hold the project.
        control: compare head with itself too, in the same rounds: a third process of each round runs head again.
        pairs: rounds of a series, at most 16.
        tell: is told what is done next.

    Returns:
        base against head, and head against itself (empty without `control`), one entry for each kernel.

    Raises:
        GateError: a process ended without an answer.
    """
    sides = (base, head, head) if control else (base, head)
    tell(f"warming up {', '.join(kernels)}")
    sizes, faults = _warm_up(head, base, kernels)
    sound = [name for name in kernels if name not in faults]
    tell(f"measuring {len(sound)} kernels, {pairs * len(sides)} processes")
    first = _series(sides, {name: sizes[name] for name in sound}, pairs)
    suspects = [name for name in sound if any(s.decision in ("slower", "faster") for s in first[name])]
    tell(f"measuring again: {', '.join(suspects) or 'nothing'}")
    second = _series(sides, {name: sizes[name] for name in suspects}, pairs) if suspects else {}

    def entry(name: str, comparison: int) -> Gated:
        if name in faults:
            return Gated(name, error=faults[name])
        again = second[name][comparison] if name in second else None
        return Gated(name, sizes[name], first[name][comparison], again)

    return [entry(name, 0) for name in kernels], [entry(name, 1) for name in kernels] if control else []


def _warm_up(head: Path, base: Path, kernels: Sequence[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Compile what the processes will use: the elements of each kernel at head, and what fails on either side."""
    found = _measured(head, kernels)
    faults = {name: f"head: {answer['error']}" for name, answer in found.items() if "error" in answer}
    sizes = {name: int(answer["n"]) for name, answer in found.items() if name not in faults}
    if sizes:
        old = _measured(base, [f"{name}={n}" for name, n in sizes.items()])
        faults |= {name: f"base: {answer['error']}" for name, answer in old.items() if "error" in answer}
    return sizes, faults


def _series(sides: Sequence[Path], sizes: Mapping[str, int], pairs: int) -> dict[str, list[Series]]:
    """For each kernel one series for each two neighbouring sides, later over earlier; every second round backwards."""
    taken: dict[str, list[list[float]]] = {name: [[] for _ in sides] for name in sizes}
    arguments = [f"{name}={n}" for name, n in sizes.items()]
    for number in range(pairs if arguments else 0):
        order = range(len(sides)) if number % 2 == 0 else range(len(sides) - 1, -1, -1)
        for side in order:
            for name, answer in _measured(sides[side], arguments).items():
                if "error" in answer:
                    raise GateError(f"kernel {name} failed after it had run before: {answer['error']}")
                taken[name][side].append(float(answer["seconds"]))
    return {
        name: [
            Series(tuple(b / a for a, b in zip(earlier, later, strict=True)))
            for earlier, later in itertools.pairwise(by_side)
        ]
        for name, by_side in taken.items()
    }


def _measured(folder: Path, kernels: Sequence[str]) -> dict[str, dict[str, float | str]]:
    """What one fresh process measures with the code in `folder`."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-c", WORKER, *kernels], cwd=folder, text=True, capture_output=True, check=False,
        env={**os.environ, **one_thread, "PYTHONPATH": str(folder)},
    )  # fmt: skip
    if done.returncode:
        told = done.stderr.strip().splitlines()
        raise GateError(f"{folder}: kernels cannot be measured: {told[-1] if told else f'status {done.returncode}'}")
    answer: dict[str, dict[str, float | str]] = json.loads(done.stdout)
    return answer
