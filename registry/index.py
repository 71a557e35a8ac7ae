"""Opening the index: every open is inside the registry's lock, from before connect() to after close()."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from registry.errors import DamagedIndex, RegistryBusy, RegistryError, is_disk_full, one_line
from registry.folder import Folder
from registry.ingest import Ingested, ingest, lake, new_segments
from registry.lock import TIMEOUT, hold, rebuilding
from registry.migrate import install, migrations, prepare, refuse_newer, remove, run_steps, wal
from registry.quarantine import move_file

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    from duckdb import DuckDBPyConnection

#: The lock is given back after so many seconds of ingest, so that readers get their turn.
SLICE = 1.0
#: DuckDB's settings for the index.
SETTINGS: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": "false"}


@contextlib.contextmanager
def reading(folder: Folder, timeout: float = TIMEOUT) -> Iterator[DuckDBPyConnection]:
    """A read-only connection, under the shared lock.  A missing or damaged index is made anew first.

    Raises:
        RegistryBusy: a writer did not finish in time.
        RegistryError: the registry was written by a newer program, or the index cannot be opened.
    """
    for last in (False, True):
        with contextlib.ExitStack() as stack:
            path, _ = stack.enter_context(readable(folder, timeout))
            try:
                connection = stack.enter_context(_connected(path, read_only=True))
            except DamagedIndex:
                if last:
                    raise
            else:
                yield connection
                return
        take_in(folder, timeout)


@contextlib.contextmanager
def readable(folder: Folder, timeout: float = TIMEOUT) -> Iterator[tuple[Path, int]]:
    """Path of the index, made when missing, and the descriptor of the shared lock that is held on it."""
    path = index_path(folder)
    if not path.exists():
        take_in(folder, timeout)
    with hold(folder, exclusive=False, timeout=timeout) as lock:
        yield path, lock


def take_in(folder: Folder, timeout: float = TIMEOUT) -> Ingested:
    """Bring every segment of the lake into the index; a damaged index goes to quarantine/ and is made anew.

    Raises:
        RegistryBusy: the index was not free in time; what is not taken in stays for the next time.
        RegistryError: the registry was written by a newer program, or the disk is full.
    """
    path, rounds, mended = index_path(folder), list[Ingested](), False
    while True:
        with hold(folder, exclusive=True, timeout=timeout):
            try:
                prepare(folder, migrations())
                done, more = _slice(folder, path)
            except DamagedIndex as error:
                if mended:
                    raise
                mended = more = True
                done = Ingested(quarantined=_put_aside(folder, path, str(error)))
            except OSError as error:
                raise RegistryError(f"{path.parent}: cannot make the index: {error.strerror}") from None
        rounds.append(done)
        if not more:
            return _total(rounds)


@contextlib.contextmanager
def writing(folder: Folder, timeout: float = TIMEOUT) -> Iterator[DuckDBPyConnection]:
    """A connection that may write, under the exclusive lock.

    Raises:
        RegistryBusy: the index was not free in time.
        RegistryError: the registry was written by a newer program, or the index cannot be opened.
    """
    path = index_path(folder)
    with hold(folder, exclusive=True, timeout=timeout):
        prepare(folder, migrations())
        with _connected(path, read_only=False) as connection:
            yield connection


def rebuild(folder: Folder, timeout: float = TIMEOUT) -> Ingested:
    """Make the index anew from the whole lake; the old one serves readers and ingest until the new one is complete.

    Raises:
        RegistryBusy: another process rebuilds, or the index was not free for the exchange in time.
        RegistryError: the disk is full; the old index stays.
    """
    target = index_path(folder)
    draft = target.with_suffix(".rebuilt")
    with rebuilding(folder, timeout):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            rounds = [_fill(folder, draft, anew=True)]
            with hold(folder, exclusive=True, timeout=timeout):
                if not _holds_only(draft, lake(folder)):
                    rounds.clear()
                rounds.append(_fill(folder, draft, anew=not rounds))
                install(draft, target)
        except OSError as error:
            raise RegistryError(f"{draft}: cannot make the index: {error.strerror}") from None
        finally:
            remove(draft)
    return _total(rounds)


def _fill(folder: Folder, draft: Path, anew: bool) -> Ingested:
    """Take every segment of the lake that it lacks into a new index that nobody else opens."""
    if anew:
        remove(draft)
        run_steps(draft, migrations())
    rounds: list[Ingested] = []
    while True:
        with _connected(draft, read_only=False) as connection:
            waiting = new_segments(folder, connection)
            done = ingest(folder, connection, waiting, seconds=float("inf"))
            rounds.append(done)
            if done.segments + len(done.quarantined) >= len(waiting):
                connection.execute("CHECKPOINT")
                return _total(rounds)


def _holds_only(draft: Path, segments: Sequence[Path]) -> bool:
    """Whether every segment that a new index took in is still there: a compaction may have replaced some."""
    with _connected(draft, read_only=True) as connection:
        known = {name for (name,) in connection.execute("SELECT name FROM store.segment").fetchall()}
    return known <= {path.name for path in segments}


def _slice(folder: Folder, path: Path) -> tuple[Ingested, bool]:
    """Ingest for about one slice; whether something is left."""
    with _connected(path, read_only=False) as connection:
        waiting = new_segments(folder, connection)
        done = ingest(folder, connection, waiting, SLICE)
    return done, done.segments + len(done.quarantined) < len(waiting)


def _total(rounds: Sequence[Ingested]) -> Ingested:
    return Ingested(
        sum(done.segments for done in rounds),
        sum(done.records for done in rounds),
        [name for done in rounds for name in done.quarantined],
    )


def index_path(folder: Folder) -> Path:
    """Where the index of this program's schema is or will be."""
    newest = migrations()[-1].number
    refuse_newer(folder, newest)
    return folder.index(newest)


@contextlib.contextmanager
def _connected(path: Path, read_only: bool) -> Iterator[DuckDBPyConnection]:
    """A connection that is closed at the end; DuckDB's errors become ours, one line each."""
    import duckdb

    connection = _connect(path, read_only)
    try:
        yield connection
    except duckdb.Error as error:
        reason = one_line(error)
        damage = (duckdb.IOException, duckdb.InternalException, duckdb.FatalException, duckdb.SerializationException)
        if isinstance(error, damage) and not is_disk_full(error):
            reason += "; run `bench registry rebuild`"
        raise RegistryError(f"{path}: {reason}") from None
    finally:
        connection.close()


def _connect(path: Path, read_only: bool) -> DuckDBPyConnection:
    import duckdb

    connection = None
    try:
        connection = duckdb.connect(str(path), read_only=read_only, config=SETTINGS)
        connection.execute("FROM store.segment LIMIT 0")
        return connection
    except duckdb.Error as error:
        if connection is not None:
            connection.close()
        raise _refused(path, error) from None


def _refused(path: Path, error: duckdb.Error) -> RegistryError:
    """Why an index could not be opened; only what is the file's own fault is damage."""
    import duckdb

    reason = one_line(error)
    if "Could not set lock" in reason:
        return RegistryBusy(f"{path}: another program has the index open; close it and run again")
    if "different configuration" in reason:
        return RegistryBusy(f"{path}: this process has the index open with other settings; close that and run again")
    if "Permission denied" in reason or is_disk_full(error):
        return RegistryError(f"{path}: cannot open the index: {reason}")
    if isinstance(error, duckdb.OutOfMemoryException):
        return RegistryError(f"{path}: cannot open the index: {reason}; free memory and run again")
    wrong = _wrong_setting()
    return RegistryError(wrong) if wrong else DamagedIndex(f"{path}: cannot open the index: {reason}")


def _wrong_setting() -> str | None:
    """The setting that this DuckDB does not take, whatever it opens."""
    import duckdb

    for name, value in SETTINGS.items():
        try:
            duckdb.connect(":memory:", config={name: value}).close()
        except duckdb.Error as error:
            return (
                f"DuckDB {duckdb.__version__} does not take the setting {name} = {value!r} ({one_line(error)}); "
                "correct it, or install the DuckDB that methodbench asks for"
            )
    return None


def _put_aside(folder: Folder, path: Path, reason: str) -> list[str]:
    present = [file for file in (path, wal(path)) if file.exists()]
    return [move_file(folder, file, reason).name for file in present]
