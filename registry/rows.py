"""Rows of segments as Arrow tables: read with their checksums, and cut to the sizes of segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import RegistryError, one_line
from registry.segments import MAX_BYTES, MAX_POINTS, MAX_RECORDS, Batch

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes that a point and a line of a plan take, about.
POINT_BYTES, PLAN_BYTES = 64, 160
#: Order of the rows of a compacted segment.
ORDER = [("kind", "ascending"), ("started", "ascending"), ("record", "ascending")]


def read_rows(path: Path, columns: list[str] | None = None) -> pa.Table:
    """All rows of a segment, or some columns of them, each page checked.

    Raises:
        RegistryError: it is damaged, gone, or holds columns that this program does not know.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(columns, use_threads=False)
        return table if columns else _complete(table)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise RegistryError(f"{path}: cannot be read: {one_line(error)}") from None


def pick(table: pa.Table, wanted: Iterable[str]) -> pa.Table:
    """The rows of these records."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return table.filter(pc.is_in(table["record"], pa.array(list(wanted), pa.string())))


def cut(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The rows of all tables in order, in tables that each make one segment."""
    pending: list[pa.Table] = []
    records = entries = size = 0
    for table in tables:
        start = 0
        for row, (count, weight) in enumerate(_weights(table)):
            full = records == MAX_RECORDS or entries + count > MAX_POINTS or size + weight > MAX_BYTES
            if records and full:
                yield _joined([*pending, table.slice(start, row - start)])
                pending, start, records, entries, size = [], row, 0, 0, 0
            records, entries, size = records + 1, entries + count, size + weight
        pending.append(table.slice(start))
    if records:
        yield _joined(pending)


@cache
def segment_schema() -> pa.Schema:
    """Columns of a segment with their types."""
    return Batch().table().schema


def _joined(parts: list[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables(parts).combine_chunks().sort_by(ORDER)


def _complete(table: pa.Table) -> pa.Table:
    """The table with exactly the columns of a segment: what an older program did not write is null."""
    import pyarrow as pa

    schema = segment_schema()
    unknown = set(table.column_names) - set(schema.names)
    if unknown:
        raise ValueError(f"unknown column {min(unknown)!r}; upgrade methodbench")
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _weights(table: pa.Table) -> Iterator[tuple[int, int]]:
    """Points and plan lines, and about the bytes, of each row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    points = pc.fill_null(pc.list_value_length(table["points"]), 0)
    plan = pc.fill_null(pc.list_value_length(table["plan"]), 0)
    size = pc.add(pc.multiply(points, POINT_BYTES), pc.multiply(plan, PLAN_BYTES))
    for column in table.columns:
        if pa.types.is_string(column.type):
            size = pc.add(size, pc.fill_null(pc.binary_length(column), 0))
    return zip(pc.add(points, plan).to_pylist(), size.to_pylist(), strict=True)
