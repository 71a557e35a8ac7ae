"""A log gives back every record that was acknowledged, whatever happens to its end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from registry import Registry, RegistryError
from registry.folder import Folder
from registry.log import Bad, LogWriter, frame, is_alive, read_frames
from registry.records import canonical, record_hash
from tests.registry.samples import finish, start, trial

PAYLOADS = [canonical(trial(number)) for number in range(3)]


def logs(folder: Folder) -> list[Path]:
    return sorted(folder.logs.glob("*.log"))


@pytest.mark.parametrize("payload", [b"x", b"x" * 20_000, os.urandom(40_000)])
def test_frames_read_back(payload: bytes) -> None:
    assert list(read_frames(frame(payload) + frame(b"y"))) == [payload, b"y"]


def test_long_records_are_deflated() -> None:
    assert len(frame(b"x" * 20_000)) < 1_000


def test_torn_tail_at_every_byte_of_the_last_frame() -> None:
    head, last = frame(PAYLOADS[0]) + frame(PAYLOADS[1]), frame(PAYLOADS[2])
    for kept in range(1, len(last)):
        *good, bad = read_frames(head + last[:kept])
        assert good == PAYLOADS[:2]
        assert isinstance(bad, Bad)
        assert (bad.start, bad.end) == (len(head), len(head) + kept)
        assert bad.reason.startswith("torn")


def test_damage_in_the_middle_costs_one_record() -> None:
    frames = [frame(payload) for payload in PAYLOADS]
    for position in range(len(frames[1])):
        damaged = bytearray(frames[1])
        damaged[position] ^= 0x40
        items = list(read_frames(frames[0] + bytes(damaged) + frames[2]))
        assert [item for item in items if isinstance(item, bytes)] == [PAYLOADS[0], PAYLOADS[2]], position
        assert any(isinstance(item, Bad) for item in items)


def test_a_bomb_is_not_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.log.MAX_PAYLOAD", 10_000)
    (bad,) = read_frames(frame(b"x" * 20_000))
    assert isinstance(bad, Bad)
    assert "more than 10000 bytes" in bad.reason


def test_append_gives_the_hash_and_one_frame_each(registry: Registry) -> None:
    with registry.writer("run-1") as writer:
        hashes = [writer.append(trial(number)) for number in range(3)]
        (log,) = logs(registry.folder)
        assert list(read_frames(log.read_bytes())) == PAYLOADS
    assert hashes == [record_hash(payload) for payload in PAYLOADS]


def test_a_refused_record_leaves_the_log_as_it_was(registry: Registry) -> None:
    with registry.writer("run-1") as writer:
        writer.append(trial(0))
        with pytest.raises(RegistryError):
            writer.append(trial(1, status="fine"))
        writer.append(trial(2))
        (log,) = logs(registry.folder)
        assert list(read_frames(log.read_bytes())) == [PAYLOADS[0], PAYLOADS[2]]


def test_a_log_is_alive_until_it_is_closed(registry: Registry) -> None:
    writer = registry.writer("run-1")
    writer.append(trial(0))
    (log,) = logs(registry.folder)
    assert is_alive(log)
    writer.close()
    assert not is_alive(log)
    writer.close()
    with pytest.raises(RegistryError, match="closed"):
        writer.append(trial(1))


def test_an_unused_log_leaves_nothing(registry: Registry) -> None:
    registry.writer("run-1").close()
    assert logs(registry.folder) == []


def test_rotation_leaves_the_past_to_others_and_keeps_the_run_alive(registry: Registry) -> None:
    with registry.writer("run-1") as writer:
        writer.append(trial(0))
        writer.rotate()
        writer.append(trial(1))
        assert sorted(map(is_alive, logs(registry.folder))) == [False, True]
        assert registry.running() == {"run-1"}
    assert registry.running() == set()


def test_a_large_log_rotates_by_itself(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.log.ROTATE_BYTES", 3_000)
    with registry.writer("run-1") as writer:
        for number in range(6):
            writer.append(trial(number))
        assert len(logs(registry.folder)) > 2


@pytest.mark.parametrize(("durability", "syncs"), [("trial", 10), ("batch", 1)])
def test_syncs_as_often_as_asked(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, durability: str, syncs: int
) -> None:
    calls: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr("registry.log.SYNC_SECONDS", 60.0)

    def counted(fd: int) -> None:
        calls.append(fd)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", counted)
    with registry.writer("run-1", durability) as writer:  # type: ignore[arg-type]
        for number in range(10):
            writer.append(trial(number))
    assert len(calls) == syncs


def test_a_forked_child_may_not_write_into_its_parents_log(registry: Registry) -> None:
    with registry.writer("run-1") as writer:
        child = os.fork()
        if child == 0:
            try:
                writer.append(trial(0))
            except RegistryError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_full_disk_costs_no_acknowledged_record(registry: Registry) -> None:
    """A file-size limit stands for the disk: the kernel cuts the write short just so."""
    code = """
        import resource, sys
        from pathlib import Path
        from registry import Registry, RegistryError
        from tests.registry.samples import trial
        writer = Registry(Path(sys.argv[1])).writer("run-1")
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
        done = 0
        try:
            while True:
                writer.append(trial(done))
                done += 1
        except RegistryError as error:
            assert "cannot append a record" in str(error) and "\\n" not in str(error), error
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        writer.append(trial(done))
        print(done + 1)
    """
    done = int(finish(start(code, registry.folder.root)))
    (log,) = logs(registry.folder)
    assert done > 3
    assert list(read_frames(log.read_bytes())) == [canonical(trial(number)) for number in range(done)]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    with pytest.raises(RegistryError, match="cannot start a log"):
        LogWriter(Folder(tmp_path), "run-1")
