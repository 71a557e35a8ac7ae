"""The lock around every open of the index: shared for readers, exclusive for writers.

DuckDB loses commits when processes take turns on one file by its own lock alone, so ours is held from before connect()
to after close().  Whoever waits holds a second lock, the turn: newcomers queue behind it, and a writer is not overtaken
by readers for ever.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from registry.errors import RegistryBusy, RegistryError
from registry.folder import Folder, remote_filesystem

TIMEOUT = 30.0
#: Seconds between two looks at a lock.  Readers look more often: they are short, people wait for them, and among many
#: writers one would else get its turn as rarely as any of those.
PAUSE, READER_PAUSE = 0.01, 0.001
MOUNTS = Path("/proc/mounts")
_number = itertools.count()
_looked_at: set[Path] = set()


@contextlib.contextmanager
def hold(folder: Folder, exclusive: bool, timeout: float = TIMEOUT) -> Iterator[int]:
    """Hold the registry's lock; gives the locked file descriptor (a child that inherits it prolongs the lock).

    Raises:
        RegistryBusy: not free within `timeout` seconds (0: not free now); the message names the holders.
        RegistryError: the lock file cannot be made.
    """
    mode, pause = (fcntl.LOCK_EX, PAUSE) if exclusive else (fcntl.LOCK_SH, READER_PAUSE)
    deadline = time.monotonic() + timeout
    with contextlib.ExitStack() as stack:
        turn, lock = _open(folder, folder.turn, stack), _open(folder, folder.lock, stack)
        if not (_wait(turn, fcntl.LOCK_EX, deadline, pause) and _wait(lock, mode, deadline, pause)):
            raise RegistryBusy(_busy(folder, timeout))
        fcntl.flock(turn, fcntl.LOCK_UN)
        stack.enter_context(_named(folder, exclusive))
        yield lock


@contextlib.contextmanager
def sealing(folder: Folder, timeout: float) -> Iterator[bool]:
    """One process seals at a time; False when another still does after `timeout` seconds.

    Whoever waited finds the records it wrote before in segments, even where the other one sealed them.
    """
    with contextlib.ExitStack() as stack:
        yield _wait(_open(folder, folder.sealing, stack), fcntl.LOCK_EX, time.monotonic() + timeout)


@contextlib.contextmanager
def rebuilding(folder: Folder, timeout: float) -> Iterator[None]:
    """One process makes a new index at a time; readers and ingest go on meanwhile.

    Raises:
        RegistryBusy: another one still does after `timeout` seconds.
    """
    with contextlib.ExitStack() as stack:
        if not _wait(_open(folder, folder.rebuilding, stack), fcntl.LOCK_EX, time.monotonic() + timeout):
            raise RegistryBusy(
                f"{folder.root}: another process rebuilds the index, waited {timeout:g} s; run again later"
            )
        yield


def holders(folder: Folder) -> list[dict[str, Any]]:
    """Who holds the lock, oldest first: pid, host, command, mode ("shared" or "exclusive"), since (unix seconds)."""
    found = []
    for path in folder.holders.glob("*.json") if folder.holders.is_dir() else ():
        try:
            holder = json.loads(path.read_text())
            if holder["host"] == os.uname().nodename and not _runs(holder["pid"]):
                path.unlink(missing_ok=True)  # it died holding the lock; the kernel released that
                continue
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found.append(holder)
    return sorted(found, key=lambda holder: holder["since"])


def _open(folder: Folder, path: Path, stack: contextlib.ExitStack) -> int:
    try:
        folder.root.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise RegistryError(f"{path}: cannot open the lock: {error.strerror}") from None
    stack.callback(os.close, fd)
    _warn_if_remote(folder.root)
    return fd


def _warn_if_remote(root: Path) -> None:
    """Say once per process and registry that it lies on a network file system."""
    if root in _looked_at:
        return
    _looked_at.add(root)
    with contextlib.suppress(OSError):
        kind = remote_filesystem(root, MOUNTS.read_text(errors="replace"))
        if kind is not None:
            sys.stderr.write(
                f"warning: {root} is on a network file system ({kind}), where locks may not hold between machines: use "
                "a local folder with --registry or METHODBENCH_REGISTRY, and bring machines together by copying "
                "segments\n"
            )


def _wait(fd: int, mode: int, deadline: float, longest: float = PAUSE) -> bool:
    pause = 0.0005
    while True:
        try:
            fcntl.flock(fd, mode | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause, left))
            pause = min(2 * pause, longest)


@contextlib.contextmanager
def _named(folder: Folder, exclusive: bool) -> Iterator[None]:
    """A small file that says who holds the lock, for the messages of those who wait."""
    path = folder.holders / f"{os.uname().nodename}-{os.getpid()}-{next(_number)}.json"
    holder = {
        "pid": os.getpid(),
        "host": os.uname().nodename,
        "command": " ".join([Path(sys.argv[0] or "python").name, *sys.argv[1:]])[:200],
        "mode": "exclusive" if exclusive else "shared",
        "since": time.time(),
    }
    with contextlib.suppress(OSError):  # a full disk spoils messages only
        folder.holders.mkdir(exist_ok=True)
        path.write_text(json.dumps(holder))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _busy(folder: Folder, timeout: float) -> str:
    names = [
        f"pid {holder['pid']} on {holder['host']} ({holder['command']}), {holder['mode']} since "
        f"{time.strftime('%H:%M:%S', time.localtime(holder['since']))}"
        for holder in holders(folder)
    ]
    who = "; ".join(names) or "a process that left no name"
    return f"{folder.root}: the registry is busy, waited {timeout:g} s; held by {who}"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
