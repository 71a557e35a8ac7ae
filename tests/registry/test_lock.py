"""The index is opened under our lock, and whoever waits learns for whom."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from registry import Registry, RegistryBusy
from registry.folder import remote_filesystem
from registry.lock import TIMEOUT, hold, holders
from tests.registry.samples import start, trial

HOLD = """
    import sys, time
    from pathlib import Path
    from registry.folder import Folder
    from registry.lock import hold
    with hold(Folder(Path(sys.argv[1])), exclusive=sys.argv[2] == "exclusive"):
        print("held", flush=True)
        time.sleep(60)
"""


def held(registry: Registry, mode: str) -> subprocess.Popen[str]:
    child = start(HOLD, registry.folder.root, mode)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.communicate()


def test_the_message_names_the_holder(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0))
    registry.timeout = 0.05
    child = held(registry, "exclusive")
    try:
        with pytest.raises(RegistryBusy) as caught:
            registry.ledger([("x", "y")])
        text = str(caught.value)
        assert f"pid {child.pid} on " in text
        assert "exclusive since" in text
        assert "-c " in text  # its command
        assert "waited 0.05 s" in text
        assert "\n" not in text
    finally:
        end(child)
    assert registry.ledger([("x", "y")]) == {}


def test_readers_share_and_a_writer_waits_for_them(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0))
    child = held(registry, "shared")
    try:
        registry.timeout = 0.05
        assert registry.info()["trials"] == 1
        with pytest.raises(RegistryBusy, match="shared since"):
            registry.rebuild()
    finally:
        end(child)
    assert registry.rebuild().records == 1


def test_a_sync_that_need_not_wait_goes_on(registry: Registry, store: Callable[..., Registry]) -> None:
    store(trial(0))
    with registry.writer("run-1") as writer:
        writer.append(trial(1))
    child = held(registry, "shared")
    try:
        report = registry.sync(wait=False)
    finally:
        end(child)
    assert (report.busy, report.sealed, report.ingested) == (True, 1, 0)
    assert registry.sync(wait=False).ingested == 1


def test_a_dead_holder_is_forgotten(registry: Registry) -> None:
    child = held(registry, "exclusive")
    assert [holder["pid"] for holder in holders(registry.folder)] == [child.pid]
    end(child)
    assert holders(registry.folder) == []
    assert list(registry.folder.holders.iterdir()) == []
    with hold(registry.folder, exclusive=True, timeout=0):
        pass


def test_readers_that_follow_each_other_do_not_starve_a_writer(registry: Registry) -> None:
    stop = time.monotonic() + 5
    done = threading.Event()

    def read() -> None:
        while not done.is_set() and time.monotonic() < stop:
            with hold(registry.folder, exclusive=False):
                time.sleep(0.02)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
        time.sleep(0.005)
    begin = time.monotonic()
    with hold(registry.folder, exclusive=True, timeout=5):
        waited = time.monotonic() - begin
    done.set()
    for reader in readers:
        reader.join()
    assert waited < 2


def test_threads_of_one_process_exclude_each_other(registry: Registry) -> None:
    with hold(registry.folder, exclusive=True), pytest.raises(RegistryBusy):  # noqa: SIM117
        with hold(registry.folder, exclusive=False, timeout=0.02):
            pass


MOUNTS = r"""
/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/export /srv/shared nfs4 rw,vers=4.2 0 0
/dev/vdb /srv/shared/local xfs rw 0 0
me@host: /srv/far\040away fuse.sshfs rw 0 0
//nas/x /srv/nas cifs rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/me/.methodbench", None),
        ("/srv/shared/project/.methodbench", "nfs4"),
        ("/srv/shared-not/.methodbench", None),
        ("/srv/shared/local/.methodbench", None),
        ("/srv/far away/.methodbench", "fuse.sshfs"),
        ("/srv/nas", "cifs"),
    ],
)
def test_network_file_systems_are_known(place: str, kind: str | None) -> None:
    assert remote_filesystem(Path(place), MOUNTS) == kind


def test_one_warning_per_process_on_a_network_file_system(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path} nfs rw 0 0\n")
    monkeypatch.setattr("registry.lock.MOUNTS", mounts)
    for _ in range(2):
        with hold(registry.folder, exclusive=True):
            pass
    text = capfd.readouterr().err
    assert text.startswith(f"warning: {registry.folder.root} is on a network file system (nfs)")
    assert text.count("\n") == 1


def test_a_local_file_system_gives_no_warning(registry: Registry, capfd: pytest.CaptureFixture[str]) -> None:
    with hold(registry.folder, exclusive=True):
        pass
    assert capfd.readouterr().err == ""


def test_the_wait_ends_when_it_was_said_to(registry: Registry) -> None:
    assert TIMEOUT == 30.0
    child = held(registry, "exclusive")
    try:
        for timeout in (0.0, 0.3):
            begin = time.monotonic()
            with pytest.raises(RegistryBusy, match=f"waited {timeout:g} s; held by pid {child.pid}"):  # noqa: SIM117
                with hold(registry.folder, exclusive=False, timeout=timeout):
                    pass
            assert timeout <= time.monotonic() - begin < timeout + 1
    finally:
        end(child)


def test_a_holder_that_left_no_readable_name(registry: Registry) -> None:
    child = held(registry, "exclusive")
    try:
        for path in registry.folder.holders.iterdir():
            path.write_text("{")
        with pytest.raises(RegistryBusy, match="held by a process that left no name"):  # noqa: SIM117
            with hold(registry.folder, exclusive=True, timeout=0):
                pass
    finally:
        end(child)
