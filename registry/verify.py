"""Checking all that is stored, without changing it: logs frame by frame, segments row by row, index against lake.

The index is compared with one that is made anew from the segments it knows, in a temporary folder: every table as a
multiset of rows, each row with its record's hash in the place of its number.
"""

from __future__ import annotations

import json
import mmap
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.errors import NewerRecord, RecordError, RegistryError, one_line
from registry.folder import Folder
from registry.index import index_path
from registry.ingest import lake, transaction
from registry.lock import TIMEOUT, hold
from registry.log import Bad, is_alive, read_frames
from registry.manifests import groups, read_manifests
from registry.migrate import migrations, quoted, run_steps, wal
from registry.records import canonical, parse, record_hash
from registry.segments import MANIFEST, crc_of, digest_of, to_record

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Tables whose rows belong to a record; `store.record` itself is compared without the segment, which may be any that
#: holds it.
NUMBERED = ("trial", "point", "final", "run", "plan", "task_info", "component_info", "benchmark")
#: Facts that several records share: the index may know more of them than what is left of the lake.
SHARED = ("fingerprint", "environment")
#: Rows of a segment that are held as Python objects at a time.
ROWS = 64


@dataclass
class Verified:
    """What was read, and what is wrong with it, one line each."""

    logs: int = 0
    frames: int = 0
    segments: int = 0
    records: int = 0
    points: int = 0
    faults: list[str] = field(default_factory=list)


def verify(folder: Folder, timeout: float = TIMEOUT) -> Verified:
    """Read everything; nothing is changed, made or put aside.

    Raises:
        RegistryBusy: a writer did not finish in time.
        RegistryError: a registry of a newer program, or no room for temporary files.
    """
    path, done = index_path(folder), Verified()
    for log in sorted(folder.logs.glob("*.log")) if folder.logs.is_dir() else ():
        _log(log, done)
    try:
        with tempfile.TemporaryDirectory(prefix="methodbench-verify-") as name:
            copy = Path(name) / "index.duckdb"
            known = _copy(folder, path, copy, timeout)
            sound = [segment for segment in lake(folder) if _segment(segment, done)]
            if known:
                _index(copy, path, sound, done)
    except OSError as error:
        raise RegistryError(f"{error.filename or tempfile.gettempdir()}: {error.strerror}") from None
    return done


def _log(path: Path, done: Verified) -> None:
    alive = is_alive(path)
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
    except FileNotFoundError:
        return  # sealed meanwhile
    done.logs += 1
    for item in read_frames(data):
        if isinstance(item, Bad):
            if not (alive and item.end == len(data)):  # else a writer is about to finish it
                done.faults.append(f"{path}: byte {item.start}: {item.reason}")
            continue
        done.frames += 1
        try:
            parse(item)
        except NewerRecord:
            continue
        except RecordError as error:
            done.faults.append(f"{path}: frame {done.frames}: {one_line(error)}")


def _segment(path: Path, done: Verified) -> bool:
    """Whether a segment's manifest, counts and hashes hold; what does not goes to the faults."""
    import pyarrow as pa

    faults: list[str] = []
    try:
        hashes, points = _rows(path, faults)
        manifest = _manifest(path)
        for name, found in (("records", len(hashes)), ("points", points), ("digest", digest_of(hashes))):
            if manifest.get(name, found) != found:
                faults.append(f"{name} is {found}, its manifest says {manifest[name]}")
        with path.open("rb") as file:
            if crc_of(file, int(manifest.get("bytes", 0))) != manifest.get("crc", 0):
                faults.append("checksum differs: its bytes are not those that were written")
        done.segments, done.records, done.points = done.segments + 1, done.records + len(hashes), done.points + points
    except FileNotFoundError:
        return False  # compacted meanwhile
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, RegistryError) as error:
        faults.append(one_line(error))
    done.faults.extend(f"{path}: {fault}" for fault in faults)
    return not faults


def _rows(path: Path, faults: list[str]) -> tuple[list[str], int]:
    """Hashes of the records that the rows stand for, and how many points they hold."""
    import pyarrow.parquet as pq

    hashes: list[str] = []
    points = 0
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for batch in file.iter_batches(ROWS):
            for row in batch.to_pylist():
                name = record_hash(canonical(to_record(row)))
                if name != row["record"]:
                    faults.append(f"row {len(hashes)}: record {row['record']} has the hash {name}")
                hashes.append(row["record"])
                points += len(row["points"] or ())
    return hashes, points


def _manifest(path: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    text = (pq.read_metadata(path).metadata or {}).get(MANIFEST.encode())
    if text is None:
        raise RegistryError("no methodbench segment: its footer holds no manifest")
    manifest = json.loads(text)
    if not isinstance(manifest, dict):
        raise RegistryError("its manifest is no JSON map")
    return manifest


def _copy(folder: Folder, path: Path, copy: Path, timeout: float) -> bool:
    """Copy the index as the last writer left it, if there is one."""
    if not path.exists():
        return False
    with hold(folder, exclusive=False, timeout=timeout):
        for source, target in ((path, copy), (wal(path), wal(copy))):
            if source.exists():
                shutil.copyfile(source, target)
    return copy.exists()


def _index(copy: Path, path: Path, sound: Sequence[Path], done: Verified) -> None:
    """Compare the copy of the index at `path` with one made anew from the segments that it knows."""
    import duckdb

    anew = copy.with_name("anew.duckdb")
    run_steps(anew, migrations())
    try:
        with duckdb.connect(str(anew)) as connection:
            connection.execute(f"ATTACH {quoted(copy)} AS kept (READ_ONLY)")
            known = {name for (name,) in connection.execute("SELECT name FROM kept.store.segment").fetchall()}
            there = {segment.name: segment for segment in sound}
            gone = sorted(known - there.keys())
            done.faults.extend(f"{path}: segment {name} is gone or damaged" for name in gone)
            if gone:
                return
            for group in groups(iter(read_manifests([there[name] for name in sorted(known)]))):
                transaction(connection, group)
            done.faults.extend(f"{path}: {fault}; run `bench registry rebuild`" for fault in _differences(connection))
    except (duckdb.Error, RegistryError) as error:
        done.faults.append(f"{path}: {one_line(error)}; run `bench registry rebuild`")


def _differences(connection: DuckDBPyConnection) -> Iterator[str]:
    for table in ("record", "tombstone", *NUMBERED):
        kept, anew = _select("kept", table), _select("anew", table)
        if _sum(connection, kept) != _sum(connection, anew):
            more, less = _beyond(connection, kept, anew), _beyond(connection, anew, kept)
            yield f"table {table}: {more} rows that no segment has, {less} rows of segments missing"
    for table in SHARED:
        less = _beyond(connection, f"FROM anew.store.{table}", f"FROM kept.store.{table}")
        if less:
            yield f"table {table}: {less} rows of segments missing"


def _select(database: str, table: str) -> str:
    if table == "record":
        return f"SELECT record, kind FROM {database}.store.record"
    if table == "tombstone":
        return f"SELECT * FROM {database}.store.tombstone"
    return (
        f"SELECT r.record AS of_record, t.* EXCLUDE (number) FROM {database}.store.{table} t "
        f"LEFT JOIN {database}.store.record r USING (number)"
    )


def _sum(connection: DuckDBPyConnection, rows: str) -> tuple[int, int]:
    """Equal for equal multisets of rows, in whatever order."""
    count, total = connection.execute(f"SELECT count(*), sum(hash(t)::HUGEINT) FROM ({rows}) t").fetchone() or (0, 0)
    return count, total


def _beyond(connection: DuckDBPyConnection, rows: str, others: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) FROM (({rows}) EXCEPT ALL ({others}))").fetchone() or (0,)
    return int(count)
