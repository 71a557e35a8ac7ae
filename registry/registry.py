"""One registry: logs to write, a lake of segments, an index to ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry import lookup
from registry.errors import RegistryBusy, RegistryError
from registry.folder import Folder
from registry.index import index_path, reading, rebuild, take_in
from registry.ingest import Ingested
from registry.lock import TIMEOUT, holders, sealing
from registry.log import Durability, LogWriter, is_alive, run_of
from registry.lookup import Known, LedgerEntry, Missing
from registry.records import SCHEMA
from registry.segments import Sealed, seal_logs, to_record

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

#: Seconds that a sync which must not stop a run waits for its turn.
BRIEFLY = 0.5
#: What `info` counts.
COUNTED = ("records", "trials", "points", "runs", "segments")


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did; `busy`: the index was not free, segments wait for the next sync."""

    sealed: int
    ingested: int
    quarantined: tuple[str, ...]
    busy: bool


class Registry:
    """The registry in a folder; nothing is made before something is written.

    Args:
        path: its folder, as `find_registry` gives it.
        timeout: seconds to wait for the index where another process holds it.
    """

    def __init__(self, path: Path, timeout: float = TIMEOUT) -> None:
        self.folder = Folder(Path(path))
        self.timeout = timeout

    def exists(self) -> bool:
        """Whether anything was ever written here."""
        return any(
            path.exists() for path in (self.folder.logs, self.folder.root / "segments", self.folder.root / "index")
        )

    def writer(self, run: str, durability: Durability = "batch") -> LogWriter:
        """A log of this process for records of one run; close it, or leave that to the end of the process."""
        return LogWriter(self.folder, run, durability)

    def sync(self, wait: bool = True) -> SyncReport:
        """Seal every log whose writer is gone and take new segments into the index; live writers are not disturbed.

        Args:
            wait: for the index; else what cannot be taken in within half a second is left to the next sync.

        Raises:
            RegistryBusy: with `wait`, when the index was not free in time.
            RegistryError: a full disk (nothing is lost), or a registry of a newer program.
        """
        if not self.exists():
            return SyncReport(0, 0, (), busy=False)
        index_path(self.folder)  # raises before a newer program's registry is touched
        timeout = self.timeout if wait else BRIEFLY
        with sealing(self.folder, timeout) as alone:
            sealed = seal_logs(self.folder) if alone else Sealed()
        try:
            done = take_in(self.folder, timeout)
        except RegistryBusy:
            if wait:
                raise
            return SyncReport(sealed.records, 0, tuple(sealed.quarantined), busy=True)
        return SyncReport(sealed.records, done.records, (*sealed.quarantined, *done.quarantined), busy=False)

    def rebuild(self) -> Ingested:
        """Make the index anew from the lake."""
        return rebuild(self.folder, self.timeout)

    @contextmanager
    def reading(self) -> Iterator[DuckDBPyConnection]:
        """A read-only connection for our own code; copy out and leave, since writers wait meanwhile.

        Raises:
            RegistryError: there is no registry here.
        """
        if not self.exists():
            raise RegistryError(f"{self.folder.root}: no registry here yet; `bench run` makes one")
        with reading(self.folder, self.timeout) as connection:
            yield connection

    def table(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pa.Table:
        """Result of a trusted SELECT, without the bounds of `query`."""
        with self.reading() as connection:
            return connection.sql(sql, params=parameters).to_arrow_table()

    def query(self, sql: str, max_rows: int = 10_000, seconds: float = 10.0) -> pa.Table:
        """Result of anybody's SELECT over the documented views: no files, network, extensions or settings.

        Raises:
            RegistryError: one line: refused, wrong, more than `max_rows` rows, or slower than `seconds`.
        """
        from registry.query import run_query

        if not self.exists():
            raise RegistryError(f"{self.folder.root}: no registry here yet; `bench run` makes one")
        return run_query(self.folder, sql, max_rows, seconds, self.timeout)

    def ledger(self, pairs: Iterable[tuple[str, str]]) -> dict[str, LedgerEntry]:
        """For each (trial, fingerprint) the record that answers; trials without one are left out."""
        asked = list(pairs)
        if not asked or not self.exists():
            return {}
        with self.reading() as connection:
            return lookup.ledger(connection, asked)

    def latest(self, trials: Iterable[str]) -> dict[str, list[Known]]:
        """For each trial every fingerprint that ever answered, newest first: why something runs again."""
        asked = list(trials)
        if not asked or not self.exists():
            return {}
        with self.reading() as connection:
            return lookup.latest(connection, asked)

    def resolve(self, prefix: str) -> str:
        """Full id of the only trial that starts with `prefix`.

        Raises:
            RegistryError: none or several do; the candidates are named.
        """
        with self.reading() as connection:
            return lookup.resolve(connection, prefix)

    def record(self, trial: str, fingerprint: str | None = None) -> dict[str, Any]:
        """The whole record that answers for a trial now, or under one fingerprint, as it was written.

        Raises:
            RegistryError: there is none, or its segment is gone.
        """
        with self.reading() as connection:
            name, segment = lookup.where_is(connection, trial, fingerprint)
            file = self.folder.lake(SCHEMA) / segment
            if not file.exists():
                raise RegistryError(f"{file}: the segment with record {name} is gone; run `bench registry rebuild`")
            result = connection.execute("FROM read_parquet($1) WHERE record = $2", [str(file), name])
            columns = [column[0] for column in result.description]
            row = result.fetchone()
        if row is None:
            raise RegistryError(f"{file}: holds no record {name}; run `bench registry rebuild`")
        return to_record(dict(zip(columns, row, strict=True)))

    def running(self) -> set[str]:
        """Runs of which some process still writes."""
        return {run_of(path) for path in self._logs() if is_alive(path)}

    def planned_but_missing(self, machine: str | None = None) -> list[Missing]:
        """Trials that ended runs planned, with fingerprint, and never recorded; call after `sync`.

        Args:
            machine: only runs of this machine; give it wherever segments may have been copied from elsewhere.
        """
        if not self.exists():
            return []
        running = {run_of(path) for path in self._logs()}  # also a log that no sync has sealed since its writer ended
        with self.reading() as connection:
            return lookup.missing(connection, running, machine)

    def info(self) -> dict[str, Any]:
        """What is here: counts, statuses, sizes in bytes, schemas, logs in use and waiting, quarantine, holders."""
        folder = self.folder
        logs = sorted(self._logs())
        kept = sorted(folder.quarantine.glob("*")) if folder.quarantine.is_dir() else []
        in_use = [path.name for path in logs if is_alive(path)]
        counts, statuses = self._counts() if self.exists() else (dict.fromkeys(COUNTED, 0), {})
        return {
            "path": str(folder.root),
            **counts,
            "statuses": statuses,
            "bytes": {name: _size(folder.root / name) for name in ("logs", "segments", "index", "quarantine")},
            "schemas": {part: folder.schemas(part) for part in ("segments", "index")},
            "open_logs": in_use,
            "waiting_logs": [path.name for path in logs if path.name not in in_use],
            "quarantine": [path.name for path in kept if not path.name.endswith(".reason.txt")],
            "held_by": holders(folder),
        }

    def _counts(self) -> tuple[dict[str, int], dict[str, int]]:
        counts = ", ".join(f"(SELECT count(*) FROM store.{name[:-1]})" for name in COUNTED)
        with self.reading() as connection:
            row = connection.execute(f"SELECT {counts}").fetchone() or ()
            return dict(zip(COUNTED, row, strict=True)), lookup.statuses(connection)

    def _logs(self) -> list[Path]:
        return list(self.folder.logs.glob("*.log")) if self.folder.logs.is_dir() else []


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
