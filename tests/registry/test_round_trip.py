"""Any record that is accepted comes back as it was accepted, with the same hash."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.log import frame, read_frames
from registry.records import canonical, parse, record_hash
from registry.segments import Batch, to_record
from tests.registry.samples import trial

TEXT = st.text(max_size=20)
WHOLE = st.integers(-(2**63), 2**63 - 1)
REAL = st.floats(allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | REAL | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
POINT = st.fixed_dictionaries(
    {"metric": TEXT, "step": WHOLE, "value": REAL}, optional={"seconds": REAL, "nfe": WHOLE, "bits": WHOLE}
)
CHANGES = st.fixed_dictionaries(
    {"identity": st.dictionaries(TEXT, JSON, max_size=3), "points": st.lists(POINT, max_size=5)},
    optional={
        "log": TEXT,
        "reason": TEXT,
        "seconds": REAL,
        "peak_bytes": WHOLE,
        "counters": st.just({}),
        "extra": JSON,
    },
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(CHANGES, min_size=1, max_size=4))
def test_log_and_columns_keep_every_record(changes: list[dict[str, Any]]) -> None:
    payloads = [canonical(trial(number, **change)) for number, change in enumerate(changes)]
    assert list(read_frames(b"".join(map(frame, payloads)))) == payloads
    batch = Batch()
    for payload in payloads:
        batch.add(payload, parse(payload))
    for row, payload in zip(batch.table().to_pylist(), payloads, strict=True):
        assert to_record(row) == parse(payload)
        assert record_hash(canonical(to_record(row))) == row["record"] == record_hash(payload)
