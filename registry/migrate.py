"""Numbered migrations of the index: SQL files run on a copy that is renamed into place.

`sql/NNNN_name.sql` brings an index of schema NNNN - 1 to schema NNNN; the schema number is in the index's path.  The
lake has a schema number of its own, `records.SCHEMA`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from registry.errors import RegistryError, is_disk_full, one_line
from registry.folder import Folder, sync_folder
from registry.records import SCHEMA as LAKE

#: Files that DuckDB 1.5 can still read.
STORAGE = "v1.5.0"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from schema `number` - 1 to `number`."""

    number: int
    name: str
    sql: str


@cache
def migrations() -> tuple[Migration, ...]:
    """The shipped migrations in their order."""
    found = []
    for file in files("registry").joinpath("sql").iterdir():
        number, _, name = file.name.removesuffix(".sql").partition("_")
        if file.name.endswith(".sql") and number.isdigit():
            found.append(Migration(int(number), name, file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.number))


def refuse_newer(folder: Folder, index: int) -> None:
    """Raise if the registry holds segments or an index of a schema that this program does not know.

    Raises:
        RegistryError: it does; nothing was touched.
    """
    for part, known in (("segments", LAKE), ("index", index)):
        found = folder.schemas(part)
        if found and found[-1] > known:
            raise RegistryError(
                f"{folder.root}: written by a newer methodbench ({part} schema {found[-1]}, this one knows {known}); "
                "upgrade methodbench or choose another folder with --registry"
            )


def prepare(folder: Folder, steps: Sequence[Migration]) -> Path:
    """Path of the index of the newest schema in `steps`, made or migrated when missing.  Hold the lock exclusively.

    An older index is copied, and the copy is migrated and renamed into place; the old one stays as it was.  One that
    cannot be opened is left alone: the lake has all that it holds.

    Raises:
        RegistryError: the disk is full, or a migration does not fit what the old index holds.
    """
    target = folder.index(steps[-1].number)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".draft")
    remove(draft)
    older = [number for number in folder.schemas("index") if folder.index(number).exists()]
    start = older[-1] if older and _settled(folder.index(older[-1])) else 0
    if start:
        shutil.copyfile(folder.index(start), draft)
    run_steps(draft, [step for step in steps if step.number > start])
    install(draft, target)
    return target


def run_steps(path: Path, steps: Sequence[Migration]) -> None:
    """Run migrations on the index file `path`, each in one transaction; the file is made when missing.

    Raises:
        RegistryError: the file cannot be written, or a migration does not fit what it holds.
    """
    import duckdb

    with duckdb.connect(":memory:") as connection:
        try:
            connection.execute(f"ATTACH {quoted(path)} AS target (STORAGE_VERSION '{STORAGE}')")
            connection.execute("USE target")
            for step in steps:
                connection.execute("BEGIN")
                connection.execute(step.sql)
                connection.execute("COMMIT")
            connection.execute("CHECKPOINT target")  # closing would fail to, without a word, on a full disk
        except duckdb.Error as error:
            raise RegistryError(f"{path}: cannot make the index: {one_line(error)}") from None


def _settled(path: Path) -> bool:
    """Fold the write-ahead log of an index into its file; False if it cannot be opened.

    Raises:
        RegistryError: the disk is full.
    """
    import duckdb

    try:
        duckdb.connect(str(path)).close()
    except duckdb.Error as error:
        if is_disk_full(error):
            raise RegistryError(f"{path}: cannot read the older index: {one_line(error)}") from None
        return False
    return True


def install(draft: Path, target: Path) -> None:
    """Put a finished, closed index file in the place of `target`, durably."""
    if wal(draft).exists():
        raise RegistryError(f"{draft}: could not be completed; free space on the disk and run again")
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    wal(target).unlink(missing_ok=True)
    draft.replace(target)
    sync_folder(target.parent)


def remove(path: Path) -> None:
    """Remove an index file and its write-ahead log."""
    path.unlink(missing_ok=True)
    wal(path).unlink(missing_ok=True)


def wal(path: Path) -> Path:
    """Write-ahead log beside an index file."""
    return path.with_name(path.name + ".wal")


def quoted(value: object) -> str:
    """An SQL string literal."""
    return "'" + str(value).replace("'", "''") + "'"
