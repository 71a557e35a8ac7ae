"""Where a registry lives and what lies where inside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAME = ".methodbench"
VARIABLE = "METHODBENCH_REGISTRY"
#: File systems between machines: their locks may not reach other machines, and a lost connection looks like damage.
REMOTE = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.sshfs", "glusterfs"}
    | {"gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb", "smb2", "smb3", "smbfs"}
)


def find_registry(start: Path, override: Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """Folder of the registry that a command started in `start` uses; nothing is created.

    The first of: `override` (`--registry`), the variable METHODBENCH_REGISTRY, the nearest `.methodbench` in `start` or
    a folder above it, `.methodbench` in the project root (the nearest folder with `.git` or `pyproject.toml`),
    `.methodbench` in `start`.
    """
    chosen = override or (environ or {}).get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    folders = [start.absolute(), *start.absolute().parents]
    for folder in folders:
        if (folder / NAME).is_dir():
            return folder / NAME
    for folder in folders:
        if (folder / ".git").exists() or (folder / "pyproject.toml").is_file():
            return folder / NAME
    return folders[0] / NAME


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths inside one registry; `lake` and `index` number the schema that the files below them have."""

    root: Path

    @property
    def logs(self) -> Path:
        """One log per writing process."""
        return self.root / "logs"

    def lake(self, schema: int) -> Path:
        """Immutable Parquet segments: the truth."""
        return self.root / "segments" / f"v{schema}"

    def index(self, schema: int) -> Path:
        """DuckDB file over the lake; losing it loses nothing."""
        return self.root / "index" / f"v{schema}" / "registry.duckdb"

    @property
    def quarantine(self) -> Path:
        """What could not be read, each with its reason."""
        return self.root / "quarantine"

    @property
    def lock(self) -> Path:
        """The file whose flock guards every open of the index."""
        return self.root / "registry.lock"

    @property
    def turn(self) -> Path:
        """The file whose flock is held while waiting for `lock`, so that nobody is overtaken for ever."""
        return self.root / "registry.turn"

    @property
    def sealing(self) -> Path:
        """The file whose flock is held while logs are sealed, so that a sync ends after the seals it meets."""
        return self.root / "registry.sealing"

    @property
    def rebuilding(self) -> Path:
        """The file whose flock is held while a new index is made, so that one process makes one at a time."""
        return self.root / "registry.rebuilding"

    @property
    def holders(self) -> Path:
        """One small file per process that holds `lock`: who, where, since when."""
        return self.root / "holders"

    def schemas(self, part: str) -> list[int]:
        """Schema numbers for which a folder exists under `segments` or `index`, ascending."""
        names = (path.name for path in (self.root / part).glob("v*"))
        return sorted(int(name[1:]) for name in names if name[1:].isdigit())

    def size(self, part: str) -> int:
        """Bytes of all files of a part."""
        return sum(path.stat().st_size for path in (self.root / part).rglob("*") if path.is_file())


def remote_filesystem(path: Path, mounts: str) -> str | None:
    """Name of the network file system that `path` lies on; None on a local one.

    Args:
        mounts: text of /proc/mounts; of mounts on one place the last counts.
    """
    inside, kind = -1, ""
    real = path.resolve()
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        place = Path(fields[1].encode().decode("unicode_escape"))  # a space is written \040
        if real.is_relative_to(place) and len(place.parts) >= inside:
            inside, kind = len(place.parts), fields[2]
    return kind if kind in REMOTE else None


def sync_folder(path: Path) -> None:
    """Make a rename, creation or removal inside `path` durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
