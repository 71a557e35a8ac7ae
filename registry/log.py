"""The log of one writing process: framed, checksummed records, one write each.

A frame is a header (magic, codec, stored length, CRC-32 of the rest of the header and of the stored bytes) and the
stored bytes, a record's canonical JSON, deflated when it is long.  The writer holds a flock on its log as long as it
lives, so that anybody can see whether it still does; the kernel releases it however the writer ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from registry.errors import RegistryError
from registry.folder import Folder, sync_folder
from registry.records import MAX_PAYLOAD, canonical, check, record_hash

#: 0xf5 occurs in no UTF-8 text, so an undeflated payload holds no magic; the last byte is the format's version.
MAGIC = b"\xf5MB1"
HEADER = struct.Struct("<4sBII")
PLAIN, DEFLATED = 0, 1
DEFLATE_FROM = 16 * 2**10

SYNC_RECORDS = 64
SYNC_SECONDS = 0.5
#: A log as old or as large as this is left to be sealed, and the writer goes on with a new one.
ROTATE_SECONDS = 60.0
ROTATE_BYTES = 64 * 2**20

Durability = Literal["batch", "trial"]


def frame(payload: bytes) -> bytes:
    """The bytes that stand for one payload in a log."""
    codec, stored = PLAIN, payload
    if len(payload) >= DEFLATE_FROM:
        codec, stored = DEFLATED, zlib.compress(payload, 1)
    crc = zlib.crc32(stored, zlib.crc32(HEADER.pack(MAGIC, codec, len(stored), 0)))
    return HEADER.pack(MAGIC, codec, len(stored), crc) + stored


@dataclass(frozen=True, slots=True)
class Bad:
    """A stretch of a log that is no frame."""

    start: int
    end: int
    reason: str


def read_frames(data: Any) -> Iterator[bytes | Bad]:
    """Payloads of all good frames in `data` (bytes or a map of a file) and the stretches between them, in order."""
    position, size = 0, len(data)
    while position < size:
        payload, end, reason = _unframe(data, position)
        if payload is not None:
            yield payload
            position = end
            continue
        start, position = position, data.find(MAGIC, position + 1)
        while position >= 0 and _unframe(data, position)[0] is None:
            position = data.find(MAGIC, position + 1)
        position = size if position < 0 else position
        yield Bad(start, position, reason)


def _unframe(data: Any, start: int) -> tuple[bytes | None, int, str]:
    """(payload, end, "") of the frame at `start`, or (None, start, reason)."""
    size = len(data)
    if size - start < HEADER.size:
        return None, start, f"torn: {size - start} bytes of a header"
    magic, codec, length, crc = HEADER.unpack_from(data, start)
    if magic != MAGIC or codec not in (PLAIN, DEFLATED):
        return None, start, "no frame starts here"
    body, end = start + HEADER.size, start + HEADER.size + length
    if end > size:
        return None, start, f"torn: {size - body} of {length} bytes of a record"
    stored = data[body:end]
    if zlib.crc32(stored, zlib.crc32(HEADER.pack(MAGIC, codec, length, 0))) != crc:
        return None, start, "checksum differs"
    if codec == PLAIN:
        return stored, end, ""
    inflater = zlib.decompressobj()
    try:
        payload = inflater.decompress(stored, MAX_PAYLOAD)
    except zlib.error as error:
        return None, start, f"cannot be inflated: {error}"
    return (payload, end, "") if inflater.eof else (None, start, f"inflates to more than {MAX_PAYLOAD} bytes")


def is_alive(path: Path) -> bool:
    """Whether the writer of a log still runs."""
    fd = claim(path)
    if fd is not None:
        os.close(fd)
    return fd is None and path.exists()


def claim(path: Path) -> int | None:
    """A locked file descriptor of a log whose writer is gone; None if the writer lives or the log does."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    if os.fstat(fd).st_nlink == 0:  # sealed and removed by somebody else since it was opened
        os.close(fd)
        return None
    return fd


def run_of(path: Path) -> str:
    """Run id in the name of a log."""
    return path.name.partition("@")[0]


class LogWriter:
    """Appends the records of one process to its own log.

    Args:
        folder: of the registry; created when missing.
        run: run id; logs carry it in their names.
        durability: "batch" loses nothing to kill -9, and to a power loss the last 64 records or 0.5 s at most; "trial"
            syncs each record.

    Raises:
        RegistryError: no log can be started there.
    """

    def __init__(self, folder: Folder, run: str, durability: Durability = "batch") -> None:
        self._folder, self._run = folder, run
        self._every = 1 if durability == "trial" else SYNC_RECORDS
        self._mutex = threading.Lock()
        self._pid = os.getpid()
        self._file: _File | None = _File(folder, run)

    def append(self, record: Mapping[str, Any]) -> str:
        """Write one record and give its hash; when this returns, no kill of a process loses it.

        Raises:
            RecordError: it has not the shape of a record.
            RegistryError: it could not be written (a full disk); nothing of it stays in the log.
        """
        payload = canonical(check(record))
        framed = frame(payload)
        with self._mutex:
            file = self._open_file()
            file.write(framed)
            now = time.monotonic()
            if file.pending >= self._every or now - file.synced >= SYNC_SECONDS:
                file.sync(now)
            if file.size >= ROTATE_BYTES or now - file.opened >= ROTATE_SECONDS:
                self._next_file(file)
        return record_hash(payload)

    def rotate(self) -> None:
        """Leave what was written so far to the next `Registry.sync` and go on in a new log."""
        with self._mutex:
            file = self._open_file()
            if file.size:
                self._next_file(file)

    def close(self) -> None:
        """Make everything durable and release the log.  Closing twice is fine."""
        with self._mutex:
            file, self._file = self._file, None
            if file is not None:
                file.finish()

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _open_file(self) -> _File:
        if self._file is None:
            raise RegistryError(f"the log of run {self._run} is closed")
        if os.getpid() != self._pid:
            raise RegistryError(f"{self._file.path.name}: opened by another process; open a writer in each process")
        return self._file

    def _next_file(self, file: _File) -> None:
        self._file = _File(self._folder, self._run)  # before the old one goes, so that the run never looks dead
        file.finish()


class _File:
    """One locked log file."""

    def __init__(self, folder: Folder, run: str) -> None:
        self._logs = folder.logs
        self.size = self.pending = 0
        self.opened = self.synced = time.monotonic()
        self._known = False  # whether the folder entry is durable
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            while True:
                self.path = self._logs / f"{run}@{os.getpid()}-{os.urandom(4).hex()}.log"
                self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
                fcntl.flock(self._fd, fcntl.LOCK_EX)
                if os.fstat(self._fd).st_nlink:
                    return
                os.close(self._fd)  # somebody's sync met the empty log before it was locked, and removed it
        except OSError as error:
            raise RegistryError(f"{self._logs}: cannot start a log: {error.strerror}") from None

    def write(self, framed: bytes) -> None:
        try:
            written = os.write(self._fd, framed)
            reason = f"{written} of {len(framed)} bytes fit"
        except OSError as error:
            written, reason = 0, error.strerror or str(error)
        if written != len(framed):
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise RegistryError(f"{self.path}: cannot append a record ({reason}); free space on the disk and run again")
        self.size += written
        self.pending += 1

    def sync(self, now: float) -> None:
        try:
            os.fdatasync(self._fd)
            if not self._known:
                sync_folder(self._logs)
                self._known = True
        except OSError as error:
            raise RegistryError(f"{self.path}: cannot sync the log: {error.strerror}") from None
        self.pending, self.synced = 0, now

    def finish(self) -> None:
        try:
            if self.pending:
                self.sync(time.monotonic())
            if not self.size:
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self._fd)
