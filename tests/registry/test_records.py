"""Records have one shape and one canonical text."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from registry.errors import NewerRecord, RecordError
from registry.records import canonical, check, parse, record_hash
from tests.registry.samples import point, run, trial


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "other"}, "kind is 'other', expected one of trial, run, benchmark"),
        ({"trial": "xyz"}, "trial is 'xyz', expected 32 hex digits"),
        ({"machine": None}, "machine is missing"),
        ({"status": "fine"}, "status is 'fine', expected one of ok, diverged"),
        ({"seconds": "fast"}, "seconds is 'fast', expected a number"),
        ({"seconds": True}, "seconds is 'True', expected a number"),
        ({"peak_bytes": 2**63}, "peak_bytes is '9223372036854775808', expected a whole number"),
        ({"run": "../up"}, "run '../up' may hold letters"),
        ({"points": [point("loss", 0, 1.0), {"metric": "loss", "step": 1}]}, "points[1]: value is missing"),
        ({"points": [{**point("loss", 0, 1.0), "split": "train"}]}, "points[0]: unknown field 'split'"),
        ({"points": [{**point("loss", 0, 1.0), "step": 2**64}]}, "points[0]: step is"),
        ({"points": ["loss"]}, "points[0] is 'loss', expected a map"),
        ({"identity": {"x": object()}}, "not JSON serializable"),
        ({"identity": {"x": 1, 2: "y"}}, "not supported between"),
    ],
)
def test_wrong_shape_is_told_in_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError) as caught:
        canonical(check(trial(**change)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numpy_scalars_become_plain_and_none_is_left_out() -> None:
    points = [{"metric": "loss", "step": np.int64(3), "value": np.float32(0.5), "seconds": None}]
    checked = check(trial(seconds=np.float32(0.5), peak_bytes=np.int64(7), reason=None, points=points))
    assert checked["points"] == [{"metric": "loss", "step": 3, "value": 0.5}]
    assert type(checked["points"][0]["value"]) is float
    assert (type(checked["seconds"]), type(checked["peak_bytes"])) == (float, int)
    assert "reason" not in checked


def test_whole_numbers_in_number_fields_have_one_text() -> None:
    assert canonical(check(trial(seconds=1))) == canonical(check(trial(seconds=1.0)))


def test_hash_follows_content_and_not_order() -> None:
    record = trial()
    assert record_hash(canonical(record)) == record_hash(canonical(dict(reversed(record.items()))))
    assert record_hash(canonical(record)) != record_hash(canonical(trial(log="x")))


def test_payload_reads_back_with_infinities_and_any_text() -> None:
    points = [point("loss", 0, math.inf), point("loss", 1, -math.inf), point("loss", 2, math.nan)]
    record = trial(points=points, log="naïve 🙂 \x00 \x1b[31m   \\ud800")
    again = parse(canonical(check(record)))
    assert [p["value"] for p in again["points"][:2]] == [math.inf, -math.inf]
    assert math.isnan(again["points"][2]["value"])
    assert again["log"] == record["log"]


def test_undecodable_output_is_replaced_and_not_refused() -> None:
    assert json.loads(canonical(check(trial(log="a\udcff🙂b"))))["log"] == "a�🙂b"


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{", b"\xff", b'{"kind":"trial"}', b"[" * 100_000, canonical(trial(log="x")) + b"}"]
)
def test_bytes_that_are_no_record_are_refused(payload: bytes) -> None:
    with pytest.raises(RecordError):
        parse(payload)


def test_escaped_lone_surrogates_are_refused_on_reading() -> None:
    with pytest.raises(RecordError):
        parse(json.dumps(trial(log="\ud800")).encode())


def test_record_of_a_newer_program_is_told_apart() -> None:
    with pytest.raises(NewerRecord):
        check(run([1], schema=2))
