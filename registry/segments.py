"""Sealing logs into immutable Parquet segments: the lake, one row a record.

Typed fields have a column each, maps are JSON text, points and plan are lists of structs, and whatever else a record
holds is one JSON map in `rest`; `to_record` gives back exactly what was logged.  The footer carries the manifest.
A segment is named by its content, so sealing the same records twice gives one file.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from registry.errors import NewerRecord, RecordError, RegistryError, one_line
from registry.folder import Folder, sync_folder
from registry.log import Bad, claim, read_frames
from registry.quarantine import keep_bytes
from registry.records import FIELDS, PLANNED, POINT, SCHEMA, compact, parse, record_hash

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns in their order.  Columns are only ever added.
COLUMNS: Mapping[str, type] = {
    "record": str,
    "kind": str,
    "schema": int,
    **FIELDS["trial"],
    **FIELDS["run"],  # what a benchmark has beside these lies in `rest`
    "rest": dict,
}
MANIFEST = "methodbench"
#: A segment is cut at these, so that each is ingested in one short transaction.
MAX_RECORDS = 4_000
MAX_POINTS = 200_000
MAX_BYTES = 64 * 2**20
#: Columns whose values hardly repeat: a dictionary of them would only be in the way.
PLAIN = ("record", "trial", "log", "points")
#: How segments are written.
PARQUET: Mapping[str, Any] = {
    "compression": "zstd",
    "use_dictionary": [name for name in COLUMNS if name not in PLAIN],
    "write_page_checksum": True,
    "store_schema": False,
}
#: Logs that one round of sealing holds open.
MAX_LOGS = 200

_DOCUMENTS = [name for name, kind in COLUMNS.items() if kind is dict and name != "rest"]
_SCALARS = [name for name, kind in COLUMNS.items() if kind not in (dict, list) and name != "record"]


@dataclass
class Sealed:
    """What one round of sealing did."""

    logs: int = 0
    records: int = 0
    segments: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    newer: list[str] = field(default_factory=list)


def seal_logs(folder: Folder) -> Sealed:
    """Turn every log whose writer is gone into segments; live logs are left alone.

    A log goes only when its records are durable in segments.  Bytes that are no record go to quarantine/.
    A log with a record of a newer program stays.

    Raises:
        RegistryError: a segment cannot be written (a full disk); the logs stay.
    """
    sealed = Sealed()
    logs = sorted(folder.logs.glob("*.log")) if folder.logs.is_dir() else []
    while logs:
        claimed: list[tuple[Path, int]] = []
        while logs and len(claimed) < MAX_LOGS:
            path = logs.pop()
            fd = claim(path)
            if fd is not None:
                claimed.append((path, fd))
        try:
            _seal(folder, claimed, sealed)
        except OSError as error:
            raise RegistryError(
                f"{folder.root}: cannot seal logs: {error.strerror}; free space and run again"
            ) from None
        finally:
            for _, fd in claimed:
                os.close(fd)
    return sealed


def _seal(folder: Folder, claimed: list[tuple[Path, int]], sealed: Sealed) -> None:
    batch, done = Batch(), []
    for path, fd in claimed:
        try:
            for payload, record in _records(folder, path, fd, sealed):
                batch.add(payload, record)
                if batch.is_full():
                    sealed.segments.append(batch.write(folder))
                    sealed.records, batch = sealed.records + len(batch), Batch()
        except NewerRecord:
            sealed.newer.append(path.name)  # left to the newer program
            continue
        done.append(path)
    if len(batch):
        sealed.segments.append(batch.write(folder))
        sealed.records += len(batch)
    for path in done:
        path.unlink()
    sealed.logs += len(done)


def _records(folder: Folder, path: Path, fd: int, sealed: Sealed) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Good records of a log; everything else goes to quarantine/."""
    if os.fstat(fd).st_size == 0:
        return
    with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as data:
        for number, item in enumerate(read_frames(data)):
            if isinstance(item, Bad):
                name, reason, bad = f"{path.name}.{item.start}", item.reason, data[item.start : item.end]
            else:
                try:
                    yield item, parse(item)
                    continue
                except NewerRecord:
                    raise
                except RecordError as error:
                    name, reason, bad = f"{path.name}.record{number}", one_line(error), item
            keep_bytes(folder, name, bad, f"{path.name}: {reason}")
            sealed.quarantined.append(name)


class Batch:
    """Records on their way into one segment, column by column."""

    def __init__(self) -> None:
        self.hashes: list[str] = []
        self.scalars: dict[str, list[Any]] = {name: [] for name in _SCALARS}
        self.documents: dict[str, list[str | None]] = {name: [] for name in (*_DOCUMENTS, "rest")}
        self.points: list[list[dict[str, Any]] | None] = []
        self.plan: list[list[dict[str, Any]] | None] = []
        self.bytes = self.count = 0

    def __len__(self) -> int:
        return len(self.hashes)

    def is_full(self) -> bool:
        return len(self.hashes) >= MAX_RECORDS or self.count >= MAX_POINTS or self.bytes >= MAX_BYTES

    def add(self, payload: bytes, record: dict[str, Any]) -> None:
        """Take one checked record; `record` is used up."""
        self.hashes.append(record_hash(payload))
        for name, values in self.scalars.items():
            values.append(record.pop(name, None))
        for name in _DOCUMENTS:
            document = record.pop(name, None)
            self.documents[name].append(None if document is None else compact(document))
        points, plan = record.pop("points", None), record.pop("plan", None)
        self.points.append(points)
        self.plan.append(plan)
        self.documents["rest"].append(compact(record) if record else None)
        self.count += len(points or ()) + len(plan or ())
        self.bytes += len(payload)

    def write(self, folder: Folder) -> str:
        """Write the segment durably and give its name."""
        return write_segment(folder.lake(SCHEMA), self.table())

    def table(self) -> pa.Table:
        """The records as the rows of a segment."""
        import pyarrow as pa

        types = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
        arrays: dict[str, Any] = {"record": pa.array(self.hashes, pa.string())}
        for name, values in self.scalars.items():
            arrays[name] = pa.array(values, types[COLUMNS[name]])
        for name, texts in self.documents.items():
            arrays[name] = pa.array(texts, pa.string())
        arrays["points"] = _structs(pa, self.points, {name: types[kind] for name, kind in POINT.items()})
        arrays["plan"] = _structs(pa, self.plan, {name: types[kind] for name, kind in PLANNED.items()})
        return pa.table({name: arrays[name] for name in COLUMNS})


def write_segment(lake: Path, table: pa.Table) -> str:
    """Write a segment of these rows into a folder, durably, and give its name."""
    import pyarrow.parquet as pq

    manifest = manifest_of(table)
    lake.mkdir(parents=True, exist_ok=True)
    target, draft = lake / f"{manifest['digest']}.parquet", lake / f".{manifest['digest']}.{os.getpid()}"
    try:
        with draft.open("w+b") as file:
            with pq.ParquetWriter(file, table.schema, **PARQUET) as writer:
                writer.write_table(table)
                file.flush()
                pages = {"bytes": file.tell(), "crc": crc_of(file, file.tell())}
                writer.add_key_value_metadata({MANIFEST: json.dumps(manifest | pages)})
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(lake)
    return target.name


def crc_of(file: IO[bytes], size: int) -> int:
    """CRC-32 of the first `size` bytes of an open file: of all pages of a segment, as its manifest says it.

    DuckDB does not look at the checksums of single pages.
    """
    crc = place = 0
    while place < size and (data := os.pread(file.fileno(), min(size - place, 2**20), place)):
        crc, place = zlib.crc32(data, crc), place + len(data)
    return crc


def manifest_of(*tables: pa.Table) -> dict[str, Any]:
    """What the footer of a segment with the rows of these tables says of it."""
    hashes = [name for table in tables for name in table["record"].to_pylist()]
    return {
        "schema": SCHEMA,
        "records": len(hashes),
        "points": sum(points_in(table) for table in tables),
        "digest": digest_of(hashes),
        "created": time.time(),
        "host": os.uname().nodename,
    }


def digest_of(hashes: Iterable[str]) -> str:
    """32 hex digits that name a segment by the records it holds."""
    return hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()[:32]


def points_in(table: pa.Table) -> int:
    """How many points the rows of a segment hold."""
    import pyarrow.compute as pc

    return pc.sum(pc.list_value_length(table["points"])).as_py() or 0


def _structs(pa: Any, lists: list[list[dict[str, Any]] | None], types: Mapping[str, Any]) -> Any:
    """A list<struct> array built column by column: several times faster than from dicts."""
    flat = [entry for entries in lists if entries for entry in entries]
    columns = [pa.array([entry.get(name) for entry in flat], type_) for name, type_ in types.items()]
    ends = accumulate((len(entries or ()) for entries in lists), initial=0)
    mask = pa.array([entries is None for entries in lists], pa.bool_())
    offsets = pa.array(list(ends), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(columns, list(types)), mask=mask)


def to_record(row: Mapping[str, Any]) -> dict[str, Any]:
    """The record that a row of a segment (column name -> value) stands for."""
    record: dict[str, Any] = {}
    for name, kind in COLUMNS.items():
        value = row.get(name)
        if value is None or name in ("record", "rest"):
            continue
        if kind is dict:
            record[name] = json.loads(value)
        elif kind is list:
            record[name] = [{key: item for key, item in entry.items() if item is not None} for entry in value]
        else:
            record[name] = value
    return {**record, **json.loads(row.get("rest") or "{}")}
