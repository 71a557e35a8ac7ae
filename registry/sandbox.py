"""Runs one query of a stranger in a process of its own: reads the index, touches no file, network or setting.

Started by `registry.query` as a script: argv holds the index, the rows, seconds and bytes allowed; the SQL comes by
stdin; "R" on stdout tells that the clock starts, then an Arrow stream follows.  A refusal is one line on stderr and
exit status 1.
"""

import resource
import sys
import threading
from typing import Any

import duckdb
import pyarrow as pa

MEMORY = "1GB"
ADDRESS_SPACE = 8 * 2**30
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_extension_repositories": "forbidden",
    "python_enable_replacements": "false",
    "memory_limit": MEMORY,
    "temp_directory": "",
    "lock_configuration": "true",
}
ALLOWED = ("SELECT", "EXPLAIN")


class Refused(Exception):
    """The query is not allowed or gave too much."""


def main(index: str, max_rows: int, seconds: float, max_bytes: int) -> None:
    """Answer the query on stdin."""
    sql = sys.stdin.read()
    connection = duckdb.connect(index, read_only=True, config=SETTINGS)
    _limit(resource.RLIMIT_FSIZE, 0)  # pipes are no files: results still get out
    _limit(resource.RLIMIT_AS, ADDRESS_SPACE)
    _limit(resource.RLIMIT_CPU, int(8 * seconds) + 10)  # a last resort should the parent be gone
    sys.stdout.buffer.write(b"R")
    sys.stdout.buffer.flush()
    threading.Timer(seconds, connection.interrupt).start()
    _check(connection, sql)
    _send(_rows(connection, sql, max_rows, max_bytes))


def _check(connection: Any, sql: str) -> None:
    kinds = [_kind(statement) for statement in connection.extract_statements(sql)]
    if not kinds:
        raise Refused("the query is empty")
    if len(kinds) > 1:
        raise Refused(f"one statement at a time: found {len(kinds)}")
    if kinds[0] not in ALLOWED:
        raise Refused(f"{kinds[0]} is not allowed: queries are read-only, use SELECT")


def _kind(statement: Any) -> str:
    try:
        kind = str(statement.type.name)
    except ValueError:  # DuckDB's Python names not all of its kinds
        return "this statement"
    return "this statement" if kind == "MULTI" else kind


def _rows(connection: Any, sql: str, max_rows: int, max_bytes: int) -> Any:
    reader = connection.sql(sql).to_arrow_reader(2048)
    batches, rows, size = [], 0, 0
    for batch in reader:
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows > max_rows:
            raise Refused(f"the result has more than {max_rows} rows: add LIMIT, aggregate, or allow more rows")
        if size > max_bytes:
            raise Refused(f"the result is larger than {max_bytes >> 20} MiB: select fewer columns or rows")
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)


def _send(table: Any) -> None:
    with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
        stream.write_table(table)
    sys.stdout.buffer.flush()


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _one_line(error: Exception, seconds: float) -> str:
    if isinstance(error, duckdb.InterruptException):
        return f"stopped after {seconds:g} s: ask for less, or allow more seconds"
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        return f"needs more than {MEMORY} of memory: ask for less at a time"
    if isinstance(error, Refused):
        return str(error)
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


if __name__ == "__main__":
    import os

    code = 0
    try:
        main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
    except Exception as failure:
        sys.stderr.write(_one_line(failure, float(sys.argv[3])) + "\n")
        sys.stderr.flush()
        code = 1
    os._exit(code)  # the timer and a query that does not heed its interrupt shall not hold us up
