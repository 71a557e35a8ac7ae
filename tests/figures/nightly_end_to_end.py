"""A night and a bisection over a scratch repository in which it is known what changed.

Its history: a first commit, in which one kernel does needless work; then a method rewritten without changing what it
computes; a kernel rewritten likewise; the same kernel made 20 % slower; and at last the needless work taken away and
the bias correction of AdamW spoilt.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.keys import PROJECT

FISHER = "    _cpu(*tables, array(factors), float(eps), array(fishers[0]), array(out))\n"
DARE = "    _cpu(array(addresses(experts)), keys, factors, limit, scale, array(base), array(merged), array(kept))\n"
KEPT = "    merged, kept = torch.empty_like(base), torch.zeros((), dtype=torch.int64)\n"
#: The first fifth of the elements once more.
FIFTH = """    few = base.numel() // 5
    some = [expert.view(-1)[:few] for expert in experts]
    again = (array(base.view(-1)[:few]), array(merged.view(-1)[:few].clone()), array(kept.clone()))
    _cpu(array(addresses(some)), keys, factors, limit, scale, *again)
"""
#: Message of each commit after the first, and its edits: file, old text, new text.
HISTORY = (
    (
        "Rewrite Euler's step",
        ("harness/methods/sampler/euler.py", "[d], [sigma_next - sigma_hat])", "[d, d], [sigma_next, -sigma_hat])"),
    ),
    ("Rewrite dare", ("kernels/dare.py", KEPT, KEPT.replace("torch.empty_like(base)", "base.new_empty(base.shape)"))),
    ("Slow dare down", ("kernels/dare.py", DARE, DARE + FIFTH)),
    (
        "Spoil AdamW, mend fisher_mean",
        ("harness/methods/optimizer/adamw.py", "t=flat.t,", "t=1,"),
        ("kernels/fisher_mean.py", FISHER + FISHER, FISHER),
    ),
)


def measure() -> dict[str, Any]:
    """What a night says of all changes at once, and which commit a bisection names."""
    with tempfile.TemporaryDirectory(prefix="methodbench-") as name:
        root = Path(name)
        first = scratch_repository(root)
        begin = time.perf_counter()
        night = bench(root, "nightly", "--base", first)
        middle = time.perf_counter()
        found = bench(root, "bisect", "dare", first, "HEAD")
        page = (root / "nightly.md").read_text() if (root / "nightly.md").exists() else night.stderr
        return {
            "night_exit_status": night.returncode,
            **{title: section(page, title) for title in ("Regressed", "Improved", "Changed", "Too noisy", "Failed")},
            "control": section(page, "Control"),
            "night_minutes": round((middle - begin) / 60, 1),
            "bisect_exit_status": found.returncode,
            "bisect": re.sub(r"\b[0-9a-f]{7,12}\b ?", "", found.stdout.strip()),
            "bisect_minutes": round((time.perf_counter() - middle) / 60, 1),
            "load_average": round(os.getloadavg()[2], 1),
        }


def scratch_repository(root: Path) -> str:
    """The history above in `root`, checked out at its end; the name of its first commit."""
    for room in ("harness", "specs", "kernels", "registry", "reports"):
        shutil.copytree(PROJECT / room, root / room, ignore=shutil.ignore_patterns("__pycache__", ".asv"))
    (root / ".gitignore").write_text("__pycache__\n.methodbench\nnightly.md\n")
    (root / ".methodbench").mkdir()
    edit(root, "kernels/fisher_mean.py", FISHER, FISHER + FISHER)
    git(root, "init", "--quiet")
    commit(root, "First")
    first = git(root, "rev-parse", "HEAD")
    for message, *edits in HISTORY:
        for file, old, new in edits:
            edit(root, file, old, new)
        commit(root, message)
    return first


def edit(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text()
    assert text.count(old) == 1, f"{file} has changed: {old!r} is not in it once"
    (root / file).write_text(text.replace(old, new))


def commit(root: Path, message: str) -> None:
    git(root, "add", "-A")
    identity = ("-c", "user.name=figure", "-c", "user.email=figure@example.org", "-c", "commit.gpgsign=false")
    git(root, *identity, "commit", "--quiet", "-m", message)


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def bench(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`bench` of the scratch repository, with its own registry."""
    environment = {**os.environ, "PYTHONPATH": str(root), "METHODBENCH_REGISTRY": str(root / ".methodbench")}
    command = [sys.executable, "-m", "harness.cli", *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def section(page: str, title: str) -> list[str]:
    """The entries of the section whose heading begins so."""
    found = re.search(rf"^## {title}[^\n]*\n\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return re.findall(r"^- (.*)$", found[1], re.MULTILINE) if found else []
