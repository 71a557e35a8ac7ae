"""Shards of trials: everything that one needs to see a trial and to repeat it, in scripts that the trial page loads.

What many trials share (components, libraries, modules, machines) stands once, in `shared.js`; trials hold its numbers.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.site.names import script_call, shard_of
from reports.site.private import command_line, without_paths

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from registry import Registry

#: Trials up to which one, and up to which sixteen shards do.
FEW, MANY = 1_000, 16_000
SHARDS = 64
#: Last characters of a log that are kept, of trials that ended well and of others.
TAIL, LONG_TAIL = 400, 4_000


def shards_for(trials: int) -> int:
    """How many shards hold so many trials: small ones, yet few files."""
    return 1 if trials <= FEW else 16 if trials <= MANY else SHARDS


def write_trials(registry: Registry, folder: Path, specs: Sequence[str], shards: int) -> None:
    """Write `trials-0.js` and following ones with every answer to the plans of some specs, and what they share."""
    packs: list[dict[str, list[list[Any]]]] = [{} for _ in range(shards)]
    with registry.reading() as index:
        shared = _Shared(index)
        logs = _logs(registry, index)
        for trial, record, *answer in _answers(index, specs):
            entry = [record, *shared.entry(answer), without_paths(logs.get(record, ""))]
            packs[shard_of(trial, shards)].setdefault(trial, []).append(entry)
    for number, pack in enumerate(packs):
        (folder / f"trials-{number}.js").write_text(script_call("received", f"trials-{number}", pack))
    common = {"texts": list(shared.texts), "code": shared.code}
    (folder / "shared.js").write_text(script_call("received", "shared", common))


FINGERPRINTS = "SELECT fingerprint, modules, libraries, data FROM fingerprints"
#: One row per answer, in the order that the page shows them: the newest first.
ANSWERS = """
WITH asked AS (
    SELECT trial, list(DISTINCT [spec, run, method, task]) AS plans FROM plan
    WHERE spec IN (SELECT unnest($specs::VARCHAR[])) GROUP BY trial
),
ended AS (
    SELECT record, list(metric ORDER BY metric) AS metrics, list(value ORDER BY metric) AS ends
    FROM metrics GROUP BY record
)
SELECT t.trial, t.record, t.run, t.status, t.reason, t.fingerprint, t.environment, t.machine, t.kernels, t.started,
    t.seconds, t.total_seconds, t.cpu_seconds, t.peak_bytes, t.state_bytes, t.contended, t.seed,
    CAST(t.identity -> '$.task' AS VARCHAR), CAST(t.identity -> '$.slots' AS VARCHAR),
    CAST(json_merge_patch(t.identity, '{"slots": null, "task": null, "seed": null}') AS VARCHAR),
    t.forwards, t.nfe, t.samples, t.draws, t.bits, a.plans, e.metrics, e.ends
FROM trials t JOIN asked a USING (trial) LEFT JOIN ended e USING (record)
ORDER BY t.trial, t.started DESC
"""


class _Shared:
    """Texts, each once: entries hold their numbers.  `code` tells modules, libraries and data of a fingerprint."""

    def __init__(self, index: DuckDBPyConnection) -> None:
        self.texts: defaultdict[str, int] = defaultdict(lambda: len(self.texts))
        self.code: dict[str, list[list[int]]] = {}
        self.prints = {row[0]: row[1:] for row in index.execute(FINGERPRINTS).fetchall()}
        commands = index.execute("SELECT run, argv FROM runs").fetchall()
        self.commands = {run: json.dumps(command_line(json.loads(argv or "[]"))) for run, argv in commands}
        self.machines = dict(index.execute("SELECT environment, document FROM environments").fetchall())

    def text(self, text: str | None) -> int:
        return self.texts[text or ""]

    def entry(self, answer: Sequence[Any]) -> list[Any]:
        """What a shard says of a record, in the order in which trial.js reads it."""
        run, status, reason, fingerprint, environment, machine, kernels = answer[:7]
        costs, seed, (task, slots, rest), counters = answer[7:14], answer[14], answer[15:18], answer[18:23]
        plans, metrics, ends = answer[23:]
        if fingerprint not in self.code:
            self.code[fingerprint] = [self._split(text) for text in self.prints.get(fingerprint, ())]
        document, command = self.machines.get(environment), self.commands.get(run)
        words = [self.text(w) for w in (run, status, machine, document, kernels, task, slots, rest, command)]
        values = [(self.text(name), value) for name, value in zip(metrics or (), ends or (), strict=True)]
        planned = [[self.text(word) for word in plan] for plan in plans]
        return [fingerprint, words, without_paths(reason or ""), costs, seed, counters, planned, values]

    def _split(self, document: str | None) -> list[int]:
        """Numbers of the entries `"name":"value"` of a flat document, most of which other fingerprints share."""
        return [self.text(part) for part in (document or "{}")[1:-1].split(",") if part]


def _answers(index: DuckDBPyConnection, specs: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for batch in index.sql(ANSWERS, params={"specs": list(specs)}).to_arrow_reader(10_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _logs(registry: Registry, index: DuckDBPyConnection) -> dict[str, str]:
    """The last lines that trials wrote, by record; nothing for a bundle, which holds no logs, nor a damaged lake."""
    import duckdb

    from registry.records import SCHEMA

    files = sorted(map(str, registry.folder.lake(SCHEMA).glob("*.parquet"))) if registry.folder.root.is_dir() else []
    if not files:
        return {}
    tails = f"right(log, CASE WHEN status = 'ok' THEN {TAIL} ELSE {LONG_TAIL} END)"
    try:
        found = index.execute(
            f"SELECT record, {tails} FROM read_parquet($files) WHERE kind = 'trial' AND log <> ''", {"files": files}
        )
        return dict(found.fetchall())
    except duckdb.Error:
        return {}
