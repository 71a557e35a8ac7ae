"""What `bench bisect` does: the commit that made a kernel slower, with the gate as oracle.

Each version is a git worktree in a temporary folder; the user's checkout is never touched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.commits import CommitError, checkout
from harness.gate import GateError, gate
from harness.keys import PROJECT

Tell = Callable[[str], None]
#: Printed by a version: for each kernel the hashes of the kernel sources that it reaches.
SOURCES = """
import json
from harness.keys import Sources
from kernels.core.listing import kernel_names
sources = Sources()
print(json.dumps({name: {module: hash for module, hash in sources.closure(["kernels." + name]).items()
                         if module.startswith("kernels.")} for name in kernel_names()}))
"""


@dataclass(frozen=True)
class Found:
    """What a bisection says: "slower" with the commit that made it so, or the decision that ended the search."""

    text: str
    decision: str
    commit: str = ""


def run_bisect(kernel: str, good: str, bad: str, tell: Tell = lambda line: None) -> Found:
    """First commit after `good`, along first parents up to `bad`, at which the kernel is slower than at `good`.

    Commits at which the kernel's sources equal those of a measured one are not measured.

    Raises:
        CommitError: a commit is unknown, or `good` is no ancestor of `bad` along first parents.
        UnknownKernel: there is no such kernel.
    """
    from kernels.core.listing import chosen

    chosen([kernel])
    start, end = full_name(good), full_name(bad)
    commits = git("rev-list", "--first-parent", "--reverse", end).splitlines()
    if start not in commits or start == end:
        raise CommitError(f"{good} is no earlier commit than {bad} along first parents")
    commits = commits[commits.index(start) :]
    known: dict[str, str] = {}
    with checkout(start) as base:
        decide = _oracle(kernel, base, known, tell)
        last = decide(end)
        if last != "slower":
            return Found(f"{kernel} at {bad} against {good}: {last}; there is no step to find", last)
        low, high = 0, len(commits) - 1
        while high - low > 1:
            middle = (low + high) // 2
            decision = decide(commits[middle])
            if decision in ("too noisy", "not confirmed", "failed"):
                between = f"after {commits[low][:12]} and not after {commits[high][:12]}"
                return Found(f"{kernel} became slower {between}; {commits[middle][:12]}: {decision}", decision)
            low, high = (low, middle) if decision == "slower" else (middle, high)
    subject = git("show", "--no-patch", "--format=%h %s", commits[high])
    return Found(f"{kernel} became slower with {subject}", "slower", commits[high])


def _oracle(kernel: str, base: Path, known: dict[str, str], tell: Tell) -> Callable[[str], str]:
    """Commit -> decision of the gate against `base`; asked once for each version of the kernel's sources."""
    known[json.dumps(kernel_sources(base).get(kernel))] = "same"

    def decide(commit: str) -> str:
        with checkout(commit) as folder:
            sources = json.dumps(kernel_sources(folder).get(kernel))
            if sources not in known:
                tell(f"measuring {kernel} at {commit[:12]}")
                try:
                    known[sources] = gate(base, folder, [kernel], tell=tell)[0][0].decision
                except GateError as error:
                    tell(str(error))
                    known[sources] = "failed"
        tell(f"{commit[:12]}: {known[sources]}")
        return known[sources]

    return decide


def kernel_sources(folder: Path) -> dict[str, dict[str, str]]:
    """For each kernel of the version in `folder` {module: hash} of the kernel code it reaches.

    Raises:
        CommitError: that version cannot say.
    """
    done = subprocess.run(
        [sys.executable, "-c", SOURCES], cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise CommitError(f"{folder}: its kernels cannot be listed: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def full_name(commit: str) -> str:
    """The 40 hex digits of a commit.

    Raises:
        CommitError: there is no such commit.
    """
    return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}", wanted=commit)


def git(*arguments: str, wanted: str = "") -> str:
    """What git prints about the project.

    Raises:
        CommitError: git failed; `wanted` is the commit to blame.
    """
    done = subprocess.run(["git", "-C", str(PROJECT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        told = done.stderr.strip().splitlines()
        raise CommitError(told[-1] if told else f"there is no commit {wanted} in {PROJECT}")
    return done.stdout.strip()
