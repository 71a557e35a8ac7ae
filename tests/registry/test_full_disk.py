"""A really full disk: every step says so in one line, loses nothing, and goes on once there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry import Registry, RegistryError
from registry.index import _connected, index_path
from tests.registry.samples import digest, trial

MEGABYTE = 2**20


class Disk:
    """A small file system, and a file that takes what room there is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ballast = folder / "ballast"

    def fill(self, leave: int = 0) -> None:
        with self.ballast.open("wb") as file:
            room = os.statvfs(self.folder)
            os.posix_fallocate(file.fileno(), 0, max(room.f_bavail * room.f_frsize - leave, 1))

    def free(self) -> None:
        self.ballast.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A tmpfs of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"no mount: {error}")
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not permitted: {mounted.stderr.strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def noise(number: int) -> str:
    """Text that does not compress."""
    return "".join(digest(f"{number} {part}") for part in range(1_000))


def write(registry: Registry, first: int, count: int, log: Callable[[int], str] = noise) -> None:
    with registry.writer("run-1") as writer:
        for number in range(first, first + count):
            writer.append(trial(number, log=log(number)))


def seeds(registry: Registry) -> list[int]:
    return [row["seed"] for row in registry.table("SELECT seed FROM trials ORDER BY seed").to_pylist()]


def said(act: Callable[[], object]) -> str:
    """What an act that may fail says, nothing where it did not."""
    try:
        act()
    except RegistryError as error:
        return str(error)
    return ""


def refused(act: Callable[[], object]) -> None:
    text = said(act)
    assert "\n" not in text
    assert "free space" in text or "No space left" in text, text


def test_the_log(disk: Disk) -> None:
    registry = Registry(disk.folder / "registry", timeout=5.0)
    with registry.writer("run-1") as writer:
        writer.append(trial(0))
        disk.fill()
        written: list[str] = []
        refused(lambda: written.extend(writer.append(trial(number)) for number in range(1, 100)))
        disk.free()
        writer.append(trial(100))
    registry.sync()
    assert seeds(registry) == [*range(len(written) + 1), 100]
    assert registry.verify().faults == []
    assert registry.info()["quarantine"] == []


def test_a_log_that_cannot_be_started(disk: Disk) -> None:
    disk.fill()
    refused(lambda: Registry(disk.folder / "registry").writer("run-1").append(trial(0)))


def test_seal(disk: Disk) -> None:
    registry = Registry(disk.folder / "registry", timeout=5.0)
    write(registry, 0, 20)
    disk.fill(leave=100_000)
    refused(registry.sync)
    assert len(list(registry.folder.logs.iterdir())) == 1
    disk.free()
    assert registry.sync().sealed == 20
    assert seeds(registry) == list(range(20))


@pytest.mark.parametrize("leave", [0, 200_000])
def test_ingest(disk: Disk, leave: int) -> None:
    registry = Registry(disk.folder / "registry", timeout=5.0)
    write(registry, 0, 3)
    registry.sync()
    before = seeds(registry)
    elsewhere = Registry(disk.folder.parent / "elsewhere")
    write(elsewhere, 3, 1_000, log=lambda number: "")
    elsewhere.sync()
    for path in elsewhere.folder.lake(1).iterdir():
        (registry.folder.lake(1) / path.name).write_bytes(path.read_bytes())
    disk.fill(leave)
    text = said(registry.sync)
    assert "\n" not in text
    assert not text or "free space" in text
    assert set(before) <= set(seeds(registry))
    disk.free()
    registry.sync()
    assert seeds(registry) == list(range(1_003))
    assert registry.info()["quarantine"] == []
    assert registry.verify().faults == []


def test_checkpoint(disk: Disk) -> None:
    """Commits that could not be folded into the index file are neither lost nor in anybody's way."""
    registry = Registry(disk.folder / "registry", timeout=5.0)
    write(registry, 0, 3)
    registry.sync()

    def fold() -> None:
        with _connected(index_path(registry.folder), read_only=False) as connection:
            disk.fill(leave=100_000)  # a commit fits, the checkpoint does not
            connection.execute("UPDATE store.trial SET reason = hash(random())::VARCHAR")
            connection.execute("CHECKPOINT")

    refused(fold)
    disk.free()
    assert seeds(registry) == [0, 1, 2]
    write(registry, 3, 2)
    registry.sync()
    assert seeds(registry) == [0, 1, 2, 3, 4]


def test_rebuild(disk: Disk) -> None:
    registry = Registry(disk.folder / "registry", timeout=5.0)
    write(registry, 0, 50)
    registry.sync()
    for leave in (0, 300_000, MEGABYTE):
        disk.fill(leave)
        refused(registry.rebuild)
        assert seeds(registry) == list(range(50))
        assert not list(registry.folder.root.rglob("*.rebuilt*"))
        disk.free()
    assert registry.rebuild().records == 50
    assert registry.verify().faults == []


def test_the_first_index(disk: Disk) -> None:
    registry = Registry(disk.folder / "registry", timeout=5.0)
    write(registry, 0, 2)
    disk.fill(leave=300_000)
    refused(registry.sync)
    disk.free()
    registry.sync()
    assert seeds(registry) == [0, 1]
