"""Read-only SQL for anybody: bounded in rows, bytes, time and memory, without files, network or extensions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from registry.errors import RegistryError
from registry.folder import Folder
from registry.index import readable
from registry.lock import TIMEOUT

if TYPE_CHECKING:
    import pyarrow as pa

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
    if len(sql) > MAX_SQL:
        raise RegistryError(f"query: {len(sql)} characters, at most {MAX_SQL} are read")
    with readable(folder, timeout) as (index, lock):
        arguments = [str(index), str(max_rows), str(seconds), str(MAX_BYTES)]
        child = subprocess.Popen(
            [sys.executable, "-P", str(SANDBOX), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[lock],  # should we die, the lock lives as long as the reader does
        )
        import pyarrow as pa

        with child:
            try:
                _ask(child.stdin, sql)
                child.stdin = None
                ready = child.stdout.read(1) if child.stdout else b""
                result, errors = child.communicate(timeout=seconds + GRACE if ready else None)
            except subprocess.TimeoutExpired:
                raise RegistryError(
                    f"query: stopped after {seconds:g} s: ask for less, or allow more seconds"
                ) from None
            finally:
                child.kill()
    if child.returncode != 0:
        raise RegistryError(f"query: {errors.decode(errors='replace').strip() or 'its process died'}")
    return pa.ipc.open_stream(result).read_all()


def _ask(stdin: IO[bytes] | None, sql: str) -> None:
    if stdin is not None:
        stdin.write(sql.encode(errors="replace"))
        stdin.close()
