"""What the footers of segments say of them, and how many segments the index takes at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from registry.errors import RegistryError
from registry.records import SCHEMA
from registry.segments import MANIFEST, MAX_RECORDS, crc_of

#: Points that one transaction takes in: more of them cost less each, yet others wait for the index meanwhile.
GROUP_POINTS = 500_000
#: Bytes to which a segment may unpack; the largest that is ever sealed is less than half of it.
MAX_UNPACKED = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a segment's footer says of it."""

    path: Path
    records: int
    points: int
    created: float
    host: str


def read_manifests(paths: Sequence[Path]) -> list[Manifest]:
    """What the footers of segments say, read apart from the index, which an odd one shall not take along.

    Raises:
        duckdb.Error: a footer cannot be read.
        RegistryError: one is none of ours, or does not fit its segment.
    """
    import duckdb

    if not paths:
        return []
    by_name = {str(path): path for path in paths}
    with duckdb.connect(":memory:") as connection:
        rows = connection.execute(
            f"""
            SELECT f.file_name, f.num_rows, unpacked, decode(k.value) FROM parquet_file_metadata($files) f
            LEFT JOIN (FROM parquet_kv_metadata($files) WHERE decode(key) = '{MANIFEST}') k USING (file_name)
            LEFT JOIN (
                SELECT file_name, sum(greatest(total_uncompressed_size, 0)) AS unpacked
                FROM parquet_metadata($files) GROUP BY file_name
            ) USING (file_name)""",
            {"files": list(by_name)},
        ).fetchall()
    return [_manifest(by_name[name], rows, unpacked or 0, text) for name, rows, unpacked, text in rows]


def _manifest(path: Path, rows: int, unpacked: int, text: str | None) -> Manifest:
    try:
        footer = json.loads(text or "")
        schema, records, points = footer["schema"], footer["records"], footer["points"]
        manifest = Manifest(path, int(records), int(points), float(footer["created"]), str(footer["host"]))
        size, crc = int(footer.get("bytes", 0)), footer.get("crc", 0)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise RegistryError("no methodbench segment: its footer holds no manifest") from None
    if schema != SCHEMA:
        raise RegistryError(f"schema {schema}, this program reads {SCHEMA}")
    if rows != manifest.records:
        raise RegistryError(f"{rows} rows, its manifest says {manifest.records}")
    if unpacked > MAX_UNPACKED:
        raise RegistryError(f"unpacks to {unpacked} bytes, at most {MAX_UNPACKED} are read")
    with path.open("rb") as file:
        if crc_of(file, size) != crc:
            raise RegistryError("checksum differs: its bytes are not those that were written")
    return manifest


def groups(manifests: Iterator[Manifest]) -> Iterator[list[Manifest]]:
    group: list[Manifest] = []
    for manifest in manifests:
        full = sum(m.records for m in group) + manifest.records > MAX_RECORDS
        if group and (full or sum(m.points for m in group) + manifest.points > GROUP_POINTS):
            yield group
            group = []
        group.append(manifest)
    if group:
        yield group
