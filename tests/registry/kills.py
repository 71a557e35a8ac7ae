"""Real kills at chosen instants: a process that kills itself, with -9, at its n-th step in some folder."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

from tests.registry.samples import start

HOOK = """
import os, signal, sys
folder, left = sys.argv[1], int(sys.argv[2])
def count(event, arguments):
    global left
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir") and folder in str(arguments[0]):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.argv[1:3] = []
sys.addaudithook(count)
"""


def each_instant(
    code: str, folder: str, arguments: Callable[[int], tuple[object, ...]], every: int = 1
) -> Iterator[int]:
    """Run `code` again and again, killed before its first, second, ... opening, renaming or removing in a folder.

    Args:
        folder: part of the paths whose handling counts.
        arguments: what the n-th process finds in sys.argv.
        every: take only each so-many-th instant.

    Yields:
        n, after the n-th process died; it ends with the first process that comes through.
    """
    for number in range(0, 200, every):
        child = start(HOOK + code, folder, number, *arguments(number))
        _, errors = child.communicate(timeout=60)
        if child.returncode == 0:
            yield number
            return
        assert child.returncode == -signal.SIGKILL, errors
        yield number
    raise AssertionError("the process never came through")
