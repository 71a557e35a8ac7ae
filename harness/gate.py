"""Is a kernel slower than before?  Fresh processes of both versions in turns, and an exact signed-rank test.

One series is `PAIRS` rounds.  A round starts one fresh process for each side and lets them measure a kernel in turns of
milliseconds, in every order equally often (base, head; head, base), all on one core, the next round on the next: two
cores may differ in speed by a third where a neighbour is busy.  The ratio of a round is the median over the turns of
head over base: what slows the core down for longer than a turn meets both sides alike, and what is shorter falls out.
Within a turn the least CPU time of a call over four samples counts.  Every round has new processes, because where code
and data happen to lie in memory moves a process's times by some percent.  CPU time is right for code of one thread, as
all CPU forms are.

Slower: the median ratio head / base of the rounds is above `EFFECT` and the one-sided exact signed-rank test on the log
ratios gives p < `ALPHA` (F. Wilcoxon, Biometrics Bulletin 1, 1945; zeros as in J. W. Pratt, JASA 54, 1959), and a
second series of fresh processes says the same.  Faster: the same of base / head.  Same: the test excludes that head
takes `EXCLUDED` times as long.  Anything else is too noisy to say.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

#: A process that takes longer hangs; the slowest compiles all kernels first.
TIMEOUT_SECONDS = 900
#: With 10 pairs the smallest p is 1/1024; fewer than 8 cannot reach `ALPHA`.
PAIRS = 10
EFFECT = 1.05
ALPHA = 0.005
EXCLUDED = 1.10

Decision = Literal["same", "slower", "faster", "not confirmed", "too noisy", "failed"]
#: Turns that each process of a round has with each kernel; a multiple of the orders of two and of three sides.
TURNS = 12
#: One process: kernels as arguments, `name` or `name=elements`.  First it says {argument: {n} or {error}}; then, for
#: each argument that it reads, the least CPU seconds of a call over four samples of half a millisecond.
WORKER = """
import json, sys, time
from pathlib import Path
import torch
from kernels.core.listing import FOLDER, load_kernel

if FOLDER.parent.resolve() != Path.cwd():  # an installed copy would answer for a version that has no kernels
    sys.exit(f"it has none; {FOLDER} answered")

def seconds(call, repeats):
    begin = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - begin) / repeats

torch.set_num_threads(1)
found, calls = {}, {}
for asked in sys.argv[1:]:
    try:
        name, _, n = asked.partition("=")
        kernel = load_kernel(name)
        n = int(n or kernel.sizes[0])
        arguments = kernel.example(n, torch.float32, torch.Generator().manual_seed(0))
        call = lambda kernel=kernel, arguments=arguments: kernel.run("cpu", arguments)
        call()
        once = min(seconds(call, 1) for _ in range(5))
        calls[asked], found[asked] = (call, max(1, round(0.0005 / once))), {"n": n}
    except Exception as error:
        found[asked] = {"error": f"{type(error).__name__}: {error}"}
print(json.dumps(found), flush=True)
for line in sys.stdin:
    call, repeats = calls[line.strip()]
    print(min(seconds(call, repeats) for _ in range(4)), flush=True)
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
        if self.ratio > EFFECT and self.p < ALPHA:
            return "slower"
        if self.ratio < 1 / EFFECT and one_sided_p([-x for x in logs]) < ALPHA:
            return "faster"
        return "same" if one_sided_p([math.log(EXCLUDED) - x for x in logs]) < ALPHA else "too noisy"


@dataclass(frozen=True)
class Gated:
    """A kernel of two versions of the code: the first series, the second where the first found a difference, a fault.

    `n` is the number of elements.
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
        kernels: their names, at the smallest of their sizes at head, or `name=elements`.
        control: compare head with itself too: a third process of each round runs head again.
        pairs: rounds of a series, at most 16.
        tell: is told what is done next.

    Returns:
        base against head, and head against itself (empty without `control`), one entry for each kernel.

    Raises:
        GateError: a process ended without an answer, or hangs.
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

    def entry(name: str, side: int) -> Gated:
        if name in faults:
            return Gated(name, error=faults[name])
        return Gated(name, sizes[name], first[name][side], second[name][side] if name in second else None)

    return [entry(name, 0) for name in kernels], [entry(name, 1) for name in kernels] if control else []


def _warm_up(head: Path, base: Path, kernels: Sequence[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Compile what the processes will use: the elements of each kernel at head, and what fails on either side."""
    found = _found(head, kernels)
    faults = {name: f"head: {answer['error']}" for name, answer in found.items() if "error" in answer}
    sizes = {name: int(answer["n"]) for name, answer in found.items() if name not in faults}
    if sizes:
        old = _found(base, [_sized(name, n) for name, n in sizes.items()])
        answers = {name: old[_sized(name, n)] for name, n in sizes.items()}
        faults |= {name: f"base: {answer['error']}" for name, answer in answers.items() if "error" in answer}
    return sizes, faults


def _sized(kernel: str, n: int) -> str:
    return f"{kernel.partition('=')[0]}={n}"


def _found(folder: Path, kernels: Sequence[str]) -> dict[str, dict[str, int | str]]:
    with _Process(folder, kernels) as process:
        return process.found()


def _series(sides: Sequence[Path], sizes: Mapping[str, int], pairs: int) -> dict[str, list[Series]]:
    """For each kernel one series for each two neighbouring sides, later over earlier."""
    rounds = [_round(sides, sizes, number) for number in range(pairs if sizes else 0)]
    return {
        name: [
            Series(tuple(_ratio(one[name][side], one[name][side + 1]) for one in rounds))
            for side in range(len(sides) - 1)
        ]
        for name in sizes
    }


def _round(sides: Sequence[Path], sizes: Mapping[str, int], number: int) -> dict[str, list[list[float]]]:
    """Seconds of a call, for each kernel and side one in each turn; the turns take the sides in every order."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None]
    core = cores[number // 2 % len(cores)]
    arguments = {name: _sized(name, n) for name, n in sizes.items()}
    taken: dict[str, list[list[float]]] = {name: [[] for _ in sides] for name in sizes}
    with ExitStack() as stack:
        processes = [stack.enter_context(_Process(folder, list(arguments.values()), core)) for folder in sides]
        for process in processes:
            for name, answer in process.found().items():
                if "error" in answer:
                    raise GateError(f"kernel {name} failed after it had run before: {answer['error']}")
        orders = list(itertools.permutations(range(len(sides))))[:: -1 if number % 2 else 1]
        for order in itertools.islice(itertools.cycle(orders), TURNS):
            for name, argument in arguments.items():
                for side in order:
                    taken[name][side].append(processes[side].least(argument))
    return taken


def _ratio(earlier: Sequence[float], later: Sequence[float]) -> float:
    """Median over the turns of the ratio of two neighbouring sides."""
    return statistics.median(b / a for a, b in zip(earlier, later, strict=True))


class _Process:
    """A fresh process with the code in `folder` that measures a kernel whenever it is asked; gone after the `with`."""

    def __init__(self, folder: Path, kernels: Sequence[str], core: int | None = None) -> None:
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._folder = folder
        self._told = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, *kernels], cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._told,
            env={**os.environ, **one_thread, "PYTHONPATH": str(folder)},
        )  # fmt: skip
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})
        self._watch = threading.Timer(TIMEOUT_SECONDS, self._process.kill)
        self._watch.start()

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *exception: object) -> None:
        self._watch.cancel()
        self._process.kill()
        self._process.communicate()
        self._told.close()

    def found(self) -> dict[str, dict[str, int | str]]:
        """Elements or error of each kernel, once all have run.

        Raises:
            GateError: the process ended instead, or hung.
        """
        answer: dict[str, dict[str, int | str]] = json.loads(self._line())
        return answer

    def least(self, argument: str) -> float:
        """Least CPU seconds of a call in one turn."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the missing answer tells
            self._process.stdin.write(f"{argument}\n")
            self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            self._told.seek(0)
            hung = f"status {status} (killed after {TIMEOUT_SECONDS} s where it hung)"
            told = (self._told.read().strip().splitlines() or [hung])[-1]
            raise GateError(f"{self._folder}: kernels cannot be measured: {told}")
        return line
