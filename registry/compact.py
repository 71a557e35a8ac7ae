"""Compaction: many small segments become few, and dropped records leave the lake.

New segments are durable and known to the index before an old one goes, so at every instant the lake holds each live
record, and one that it holds twice counts once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import RegistryBusy, RegistryError
from registry.folder import Folder, sync_folder
from registry.index import reading, writing
from registry.ingest import ingest, lake
from registry.lock import TIMEOUT, rebuilding, sealing
from registry.migrate import quoted
from registry.records import SCHEMA
from registry.rows import cut, pick, read_rows
from registry.segments import MAX_BYTES, MAX_POINTS, MAX_RECORDS, write_segment

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

_DRAFT = re.compile(r"\.[0-9a-f]{32}\.[0-9]+")


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did: how many segments there are, how many records left, and which segments no one can read."""

    before: int
    after: int
    left: int
    unreadable: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Content:
    """What a segment holds; `dead` are dropped records."""

    alive: frozenset[str]
    dead: frozenset[str]
    points: int
    bytes: int

    @property
    def large(self) -> bool:
        records = len(self.alive) + len(self.dead)
        return 2 * records >= MAX_RECORDS or 2 * self.points >= MAX_POINTS or 2 * self.bytes >= MAX_BYTES


def compact(folder: Folder, timeout: float = TIMEOUT) -> Compacted:
    """Make few segments of the many that the index knows, without the records that were dropped.

    Raises:
        RegistryBusy: another process seals, compacts or rebuilds, or the index was not free in time.
        RegistryError: a full disk, or a damaged segment; nothing is lost.
    """
    with sealing(folder, timeout) as alone:
        if not alone:
            raise RegistryBusy(f"{folder.root}: another process seals or compacts; run again later")
        _remove_drafts(folder)
        contents, unreadable = _contents(folder, timeout)
        kept, old = _choose(contents)
        if len(old) == 1 and not contents[old[0]].dead and not _shared(contents, kept, old):
            old = []
        before = len(contents)
        if not old:
            return Compacted(before, before, 0, unreadable)
        try:
            new = [write_segment(folder.lake(SCHEMA), table) for table in cut(_rows(contents, kept, old, unreadable))]
        except OSError as error:
            raise RegistryError(
                f"{folder.root}: cannot write segments: {error.strerror}; free space and run again"
            ) from None
        going = [path for path in old if path.name not in (*new, *unreadable)]
        _replace(folder, [folder.lake(SCHEMA) / name for name in new], kept, going, timeout)
        left = sum(len(contents[path].dead) for path in old if path.name not in unreadable)
        return Compacted(before, before - len(going) + len({*new} - {path.name for path in old}), left, unreadable)


def _contents(folder: Folder, timeout: float) -> tuple[dict[Path, _Content], list[str]]:
    """What each segment that the index knows holds, and the names of those that cannot be read."""
    import pyarrow.parquet as pq

    with reading(folder, timeout) as connection:
        known = {name for (name,) in connection.execute("SELECT name FROM store.segment").fetchall()}
        dropped = {name for (name,) in connection.execute("SELECT record FROM dropped").fetchall()}
    contents: dict[Path, _Content] = {}
    unreadable: list[str] = []
    for path in lake(folder):
        if path.name not in known:
            continue  # not yet taken in, so not yet known to be sound
        try:
            rows = read_rows(path, ["record", "kind", "points"])
            groups = pq.read_metadata(path)
        except (RegistryError, OSError):
            unreadable.append(path.name)
            continue
        size = sum(groups.row_group(number).total_byte_size for number in range(groups.num_row_groups))
        names = list(zip(rows["record"].to_pylist(), rows["kind"].to_pylist(), strict=True))
        dead = frozenset(name for name, kind in names if name in dropped and kind != "tombstone")
        alive = frozenset(name for name, _ in names) - dead
        contents[path] = _Content(alive, dead, _points(rows), size)
    return contents, unreadable


def _points(rows: pa.Table) -> int:
    import pyarrow.compute as pc

    return pc.sum(pc.list_value_length(rows["points"])).as_py() or 0


def _choose(contents: Mapping[Path, _Content]) -> tuple[list[Path], list[Path]]:
    """Segments to keep: large ones, nothing in them dead or in another one that is kept; and those to replace."""
    kept: list[Path] = []
    old: list[Path] = []
    held: set[str] = set()
    for path in sorted(contents, key=lambda path: (-len(contents[path].alive), path.name)):
        content = contents[path]
        if content.large and not content.dead and held.isdisjoint(content.alive):
            kept.append(path)
            held |= content.alive
        else:
            old.append(path)
    return kept, sorted(old)


def _shared(contents: Mapping[Path, _Content], kept: list[Path], old: list[Path]) -> list[Path]:
    """The kept segments that hold a record of one to be replaced."""
    names = set[str]().union(*(contents[path].alive for path in old))
    return [path for path in kept if not names.isdisjoint(contents[path].alive)]


def _rows(
    contents: Mapping[Path, _Content], kept: list[Path], old: list[Path], unreadable: list[str]
) -> Iterator[pa.Table]:
    """Each live record of the old segments that no kept one holds, once; names what cannot be read in `unreadable`."""
    held: set[str] = set()
    for path in _shared(contents, kept, old):  # it will be the only one with these records: every page must be sound
        if _sound(path, unreadable) is not None:
            held |= contents[path].alive
    for path in old:
        wanted = contents[path].alive - held
        table = _sound(path, unreadable) if wanted else None
        if table is not None:
            held |= wanted
            yield _once(pick(table, wanted))


def _sound(path: Path, unreadable: list[str]) -> pa.Table | None:
    try:
        return read_rows(path)
    except RegistryError:
        unreadable.append(path.name)
        return None


def _once(table: pa.Table) -> pa.Table:
    """The first row of each record."""
    places: dict[str, int] = {}
    for place, name in enumerate(table["record"].to_pylist()):
        places.setdefault(name, place)
    return table if len(places) == len(table) else table.take(list(places.values()))


def _replace(folder: Folder, new: list[Path], kept: list[Path], old: list[Path], timeout: float) -> None:
    """Let the index find every record of the old segments elsewhere; then the old ones go."""
    names = [path.name for path in old]
    with rebuilding(folder, timeout), writing(folder, timeout) as connection:
        known = {name for (name,) in connection.execute("SELECT name FROM store.segment").fetchall()}
        done = ingest(folder, connection, [path for path in new if path.name not in known], float("inf"))
        if done.quarantined:
            raise RegistryError(f"{folder.root}: {done.quarantined[0]} could not be read back; nothing was removed")
        connection.execute("BEGIN")
        _repoint(connection, [*new, *kept], names)
        connection.execute("DELETE FROM store.segment WHERE name IN (SELECT unnest($1::VARCHAR[]))", [names])
        (stranded,) = connection.execute(
            "SELECT count(*) FROM store.record WHERE segment IN (SELECT unnest($1::VARCHAR[]))", [names]
        ).fetchone() or (0,)
        if stranded:
            connection.execute("ROLLBACK")
            raise RegistryError(f"{folder.root}: {stranded} records would be lost; nothing was removed, run again")
        connection.execute("COMMIT")
        for path in old:
            path.unlink(missing_ok=True)
        sync_folder(folder.lake(SCHEMA))


def _repoint(connection: DuckDBPyConnection, homes: list[Path], old: list[str]) -> None:
    if not homes:
        return
    files = "[" + ", ".join(map(quoted, homes)) + "]"
    connection.execute(
        f"""
        UPDATE store.record SET segment = home.segment
        FROM (
            SELECT record, min(parse_filename(filename)) AS segment
            FROM read_parquet({files}, filename = true) GROUP BY record
        ) home
        WHERE home.record = store.record.record AND store.record.segment IN (SELECT unnest($1::VARCHAR[]))""",
        [old],
    )


def _remove_drafts(folder: Folder) -> None:
    """Remove what writers that were killed left half-written; nobody else seals now."""
    place = folder.lake(SCHEMA)
    for path in place.iterdir() if place.is_dir() else ():
        if _DRAFT.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()
