"""Read-only SQL for anybody: bounded in rows, bytes, time and memory, without files, network or extensions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from registry.errors import RegistryError, one_line
from registry.folder import Folder
from registry.index import readable
from registry.lock import TIMEOUT

if TYPE_CHECKING:
    import pyarrow as pa

TEXT, BINARY = ("table", "csv", "json"), ("parquet", "arrow")
SANDBOX = Path(__file__).with_name("sandbox.py")
MAX_BYTES = 256 * 2**20
MAX_SQL = 100_000
#: Seconds for a query to heed its interrupt before its process is killed.
GRACE = 0.5


def run_query(folder: Folder, sql: str, max_rows: int, seconds: float, timeout: float = TIMEOUT) -> pa.Table:
    """The result of one SELECT, made in a process of its own that is killed when time is up.

    Raises:
        RegistryError: one line: refused, wrong, too large or too slow.
        RegistryBusy: a writer did not finish in time.
    """
    with readable(folder, timeout) as (index, lock):
        return ask(index, sql, max_rows, seconds, [lock])


def ask(file: Path, sql: str, max_rows: int, seconds: float, locks: Sequence[int] = ()) -> pa.Table:
    """The result of one SELECT over a DuckDB file; see `run_query`.

    Args:
        locks: descriptors that the process that reads keeps open: should we die, the locks live as long as it does.
    """
    if len(sql) > MAX_SQL:
        raise RegistryError(f"query: {len(sql)} characters, at most {MAX_SQL} are read")
    arguments = [str(file), str(max_rows), str(seconds), str(MAX_BYTES)]
    child = subprocess.Popen(
        [sys.executable, "-P", str(SANDBOX), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=locks,
    )
    import pyarrow as pa

    with child:
        try:
            _ask(child.stdin, sql)
            child.stdin = None
            ready = child.stdout.read(1) if child.stdout else b""
            result, errors = child.communicate(timeout=seconds + GRACE if ready else None)
        except subprocess.TimeoutExpired:
            raise RegistryError(f"query: stopped after {seconds:g} s: ask for less, or allow more seconds") from None
        finally:
            child.kill()
    if child.returncode != 0:
        raise RegistryError(f"query: {errors.decode(errors='replace').strip() or 'its process died'}")
    return pa.ipc.open_stream(result).read_all()


def form_of(form: str | None, out: Path | None) -> str:
    """The format asked for, else the one that the file's ending names, else "table".

    Raises:
        RegistryError: there is no such format.
    """
    known = (*TEXT, *BINARY)
    chosen = form or (out.suffix.lstrip(".") if out and out.suffix.lstrip(".") in known else "table")
    if chosen not in known:
        raise RegistryError(f'format "{chosen}" is not one of {", ".join(known)}')
    return chosen


def packed(table: pa.Table, form: str) -> bytes:
    """The bytes of a Parquet or an Arrow (IPC) file.

    Raises:
        RegistryError: the format has no such type.
    """
    import pyarrow as pa
    import pyarrow.feather as feather
    import pyarrow.parquet as pq

    buffer = pa.BufferOutputStream()
    try:
        if form == "parquet":
            pq.write_table(table, buffer, compression="zstd")
        else:
            feather.write_feather(table, buffer, compression="uncompressed")
    except (pa.ArrowException, ValueError) as error:
        raise RegistryError(f"query: cannot be written as {form}: {one_line(error)}; CAST the column") from None
    return bytes(buffer.getvalue())


def write_answer(path: Path, data: bytes) -> None:
    """Write a file that is whole or not there.

    Raises:
        RegistryError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            draft.write_bytes(data)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise RegistryError(f"{path}: cannot be written: {error.strerror}") from None


def _ask(stdin: IO[bytes] | None, sql: str) -> None:
    if stdin is not None:
        stdin.write(sql.encode(errors="replace"))
        stdin.close()
