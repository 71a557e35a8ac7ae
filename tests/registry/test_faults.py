"""Real processes that are really killed lose no acknowledged record, and taking turns loses no commit."""

from __future__ import annotations

import random
import time

from registry import Registry
from tests.registry.samples import finish, start

WRITE = """
    import sys
    from pathlib import Path
    from registry import Registry
    from tests.registry.samples import trial
    writer = Registry(Path(sys.argv[1])).writer("run-1")
    first, count = int(sys.argv[2]), int(sys.argv[3])
    for number in range(first, first + count):
        writer.append(trial(number))
        print(number, flush=True)
"""

SYNC = """
    import sys, time
    from pathlib import Path
    from registry import Registry
    from tests.registry.samples import trial
    registry, first = Registry(Path(sys.argv[1])), int(sys.argv[2])
    for number in range(first, first + 12):
        with registry.writer("run-1") as writer:
            writer.append(trial(number))
        registry.sync()
        found = registry.table("SELECT count(*) AS n FROM trials WHERE seed BETWEEN $1 AND $2", [first, number])
        assert found.to_pylist() == [{"n": number - first + 1}], (number, found.to_pylist())
"""

POLL = """
    import sys, time
    from pathlib import Path
    from registry import Registry
    registry, last, slowest, reads = Registry(Path(sys.argv[1])), 0, 0.0, 0
    while last < int(sys.argv[2]):
        begin = time.monotonic()
        (row,) = registry.table("SELECT count(*) AS n, count(DISTINCT trial) AS d FROM metrics").to_pylist()
        slowest, reads = max(slowest, time.monotonic() - begin), reads + 1
        assert last <= row["n"] == row["d"], (last, row)
        last = row["n"]
    print(reads, slowest)
"""

INGEST = """
    import sys
    from pathlib import Path
    from registry import Registry
    registry = Registry(Path(sys.argv[1]))
    print("ready", flush=True)
    while True:
        registry.sync()
        registry.rebuild()
"""

TURNS = """
    import sys
    import duckdb
    from pathlib import Path
    from registry.folder import Folder
    from registry.lock import hold
    folder, me, file = Folder(Path(sys.argv[1])), int(sys.argv[2]), sys.argv[1] + "/turns.duckdb"
    for turn in range(int(sys.argv[3])):
        with hold(folder, exclusive=True), duckdb.connect(file) as connection:
            connection.execute("INSERT INTO turns VALUES (?, ?)", [me, turn])
            seen = connection.execute("SELECT count(*) FROM turns WHERE process = ?", [me]).fetchone()
            assert seen == (turn + 1,), seen
        if turn % 10 == 0:
            with hold(folder, exclusive=False), duckdb.connect(file, read_only=True) as connection:
                assert connection.execute("SELECT count(*) FROM turns WHERE process = ?", [me]).fetchone() == seen
"""


def known(registry: Registry) -> list[int]:
    return [row["seed"] for row in registry.table("SELECT seed FROM trials ORDER BY seed").to_pylist()]


def test_kill_of_a_writer_loses_nothing_that_was_acknowledged(registry: Registry) -> None:
    acknowledged: set[int] = set()
    for kill in range(6):
        child = start(WRITE, registry.folder.root, kill * 100_000, 100_000)
        assert child.stdout is not None
        first = child.stdout.readline()
        time.sleep(random.uniform(0, 0.05))
        child.kill()
        lines = (first + child.stdout.read()).split("\n")[:-1]  # what follows the last newline was cut off by the kill
        child.communicate()
        acknowledged |= set(map(int, lines))
        registry.sync()
    found = known(registry)
    assert len(acknowledged) > 100
    assert acknowledged <= set(found)
    assert len(found) == len(set(found)) <= len(acknowledged) + 6  # one more each may be written, not yet told
    assert list(registry.folder.logs.iterdir()) == []


def test_kill_in_the_middle_of_ingest_and_rebuild_loses_nothing(registry: Registry) -> None:
    generator = random.Random(0)
    for kill in range(5):
        finish(start(WRITE, registry.folder.root, kill * 200, 200))
        child = start(INGEST, registry.folder.root)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(generator.uniform(0, 0.4))
        child.kill()
        child.communicate()
        registry.sync()
        assert known(registry) == [first + n for first in range(0, (kill + 1) * 200, 200) for n in range(200)]
    assert registry.info()["quarantine"] == []


def test_two_processes_sync_while_another_reads(registry: Registry) -> None:
    registry.writer("run-1").close()
    reader = start(POLL, registry.folder.root, 24)
    writers = [start(SYNC, registry.folder.root, first) for first in (0, 1_000)]
    for writer in writers:
        finish(writer)
    reads, slowest = finish(reader).split()
    assert known(registry) == [*range(12), *range(1_000, 1_012)]
    assert int(reads) > 5
    assert float(slowest) < 5


def test_processes_that_take_turns_keep_every_commit(registry: Registry) -> None:
    """Without the lock DuckDB 2.0 loses some of these: it reads the header before it takes its own lock."""
    import duckdb

    root = registry.folder.root
    root.mkdir()
    with duckdb.connect(str(root / "turns.duckdb")) as connection:
        connection.execute("CREATE TABLE turns (process INTEGER, turn INTEGER)")
    for child in [start(TURNS, root, process, 50) for process in range(4)]:
        finish(child)
    with duckdb.connect(str(root / "turns.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT (process, turn)) FROM turns").fetchone() == (
            200,
            200,
        )
