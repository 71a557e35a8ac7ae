"""Six processes write runs into one registry, three poll it: is anything lost, does any read fail or wait?"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from registry import Registry
from tests.registry.samples import finish, start

WRITERS, READERS, ROUNDS, TRIALS = 6, 3, 40, 25

WRITE = """
    import sys
    from pathlib import Path
    from registry import Registry
    from tests.registry.samples import run, trial
    registry, me, rounds, trials = Registry(Path(sys.argv[1])), *map(int, sys.argv[2:])
    for number in range(rounds):
        first, name = 1_000_000 * me + trials * number, f"run-{me}-{number}"
        with registry.writer(name) as writer:
            seeds = list(range(first, first + trials))
            writer.append(run(seeds, name=name))
            for seed in seeds:
                writer.append(trial(seed, run=name))
        registry.sync(wait=number == rounds - 1)
"""

READ = """
    import sys, time
    import duckdb, pyarrow
    from pathlib import Path
    from registry import Registry, RegistryError
    registry, last, longest, slowest, failed, reads = Registry(Path(sys.argv[1])), 0, 0.0, 0.0, 0, 0
    while last < int(sys.argv[2]):
        begin = time.monotonic()
        try:
            with registry.reading() as connection:
                longest = max(longest, time.monotonic() - begin)
                found, distinct = connection.execute("SELECT count(*), count(DISTINCT trial) FROM trials").fetchone()
        except RegistryError as error:
            failed += 1
            print(error, file=sys.stderr)
            continue
        slowest, reads = max(slowest, time.monotonic() - begin), reads + 1
        assert last <= found == distinct, (last, found, distinct)
        last = found
        time.sleep(0.02)
    print(reads, failed, longest, slowest)
"""


def measure() -> dict[str, Any]:
    """Trials written and found, reads, failed reads, the longest that a read waited for the open index, and took."""
    with tempfile.TemporaryDirectory() as name:
        return crowd(Path(name), WRITERS, READERS, ROUNDS, TRIALS)


def crowd(folder: Path, writers: int, readers: int, rounds: int, trials: int) -> dict[str, Any]:
    """So many writers write runs of so many trials, each taken in at once if the index is free, while readers poll."""
    registry, begin = Registry(folder / "registry"), time.monotonic()
    registry.writer("first").close()
    registry.info()  # so that there is something to ask
    total = writers * rounds * trials
    asking = [start(READ, registry.folder.root, total) for _ in range(readers)]
    writing = [start(WRITE, registry.folder.root, writer, rounds, trials) for writer in range(writers)]
    for process in writing:
        finish(process, 300)
    registry.sync()
    told = [finish(process, 60).split() for process in asking]
    seconds = time.monotonic() - begin
    found = registry.table("SELECT trial, count(*) AS n FROM store.trial GROUP BY trial").to_pylist()
    return {
        "writers": writers,
        "readers": readers,
        "trials": total,
        "lost": total - len(found),
        "doubled": sum(row["n"] > 1 for row in found),
        "faults": len(registry.verify().faults) + len(registry.info()["quarantine"]),
        "reads": sum(int(reads) for reads, *_ in told),
        "failed_reads": sum(int(failed) for _, failed, *_ in told),
        "longest_wait_s": round(max(float(longest) for _, _, longest, _ in told), 3),
        "slowest_read_s": round(max(float(slowest) for *_, slowest in told), 3),
        "seconds": round(seconds, 1),
    }
