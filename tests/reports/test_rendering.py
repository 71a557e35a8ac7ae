"""Leaderboards as people and programs see them: nothing cut, nothing obeyed, numbers that line up and read back."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import pytest

from reports.leaderboard import FORMATS, leaderboards, render
from reports.model import Metric, Task
from reports.text import cell, decimals, markdown, memory, plain, short, significant, time_unit, writer
from tests.reports.example import realistic, results, trials

EVIL = "a|b [bold]x[/bold] <script>alert(1)</script> [y](http://z) \x1b[31m\u202e`c`\n# *d* $e$ &lt;"
EVIL_TASK = Task(EVIL, EVIL, (Metric("m|<b>", "max", "u\n"),), ("data",))
SIX = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


def evil(form: str) -> str:
    return render(leaderboards(results((EVIL_TASK,), trials(EVIL, EVIL_TASK, SIX, status="ok"))), form)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160, 300])
def test_no_line_is_wider_than_the_terminal_and_no_cell_is_cut(width: int) -> None:
    text = render(leaderboards(realistic()), "terminal", width)
    assert max(map(len, text.splitlines())) <= width
    for number in ("0.9498", "[0.9354, 0.9431]", "2 diverged", "3 timeout", "312 MiB", "+0.1301", "81.9M", "6/6"):
        assert number in text, f"{number} at width {width}"


def test_each_table_says_metric_direction_target_and_how_its_intervals_are_made() -> None:
    text = " ".join(render(leaderboards(realistic()), "terminal", 100).split())
    assert "val_accuracy, share of right labels on held-out digits: higher is better" in text
    assert "target >= 0.9 · seeds vary data and init" in text
    assert "interval: 96.9 % order-statistic interval of the median, n = 6" in text
    assert "w2: lower is better nothing varies with the seed: values are exact" in text
    assert "n = 3 is too few for 95 %, which takes 6 seeds" in text
    assert "96.9 % signed-rank interval, n = 6; not corrected for the number of rows" in text
    assert "* kaiming is provisional: 3 of 6 seeds have a result (3 timeout)" in text
    assert "not separated" in text
    assert "train_loss became nan at step 120" in text


def test_what_columns_mean_is_said_once_for_all_tables() -> None:
    for form in ("terminal", "md"):
        text = " ".join(render(leaderboards(realistic()), form, 200).split())
        assert text.count("interval: 96.9 % order-statistic") == 2, "with each table"
        assert text.count("96.9 % signed-rank interval") == 1
        assert text.count("not corrected for the number of rows") == 1


def test_a_pipe_gets_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    text = render(leaderboards(realistic()))
    assert "\x1b" not in text
    assert 80 < max(map(len, text.splitlines())) <= 100


def test_a_terminal_shows_markup_escapes_and_control_characters_as_text() -> None:
    text = "".join(evil("terminal").split())
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold]x[/bold]<script>" in text
    assert "\\x1b[31m\\u202e" in text


def test_markdown_keeps_its_columns_and_shows_html_and_links_as_text() -> None:
    text = evil("md")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 3
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert "<script" not in text
    assert "<b>" not in text
    assert "\\[y\\](http" in text
    assert text.count("\n#") == 0, "only the heading of the task itself"


@pytest.mark.parametrize(
    ("label", "shown"),
    [("val_accuracy", "val_accuracy"), ("_x_", "\\_x\\_"), ("adamw[lr=0.1]", "adamw[lr=0.1]"), ("> q", "\\> q")],
)
def test_harmless_labels_stay_readable_in_markdown(label: str, shown: str) -> None:
    assert markdown(label) == shown


def test_csv_reads_back_one_row_per_task_and_method() -> None:
    found = list(csv.DictReader(io.StringIO(render(leaderboards(realistic()), "csv"))))
    assert [(row["task"], row["method"]) for row in found][:2] == [
        ("depth-train", "orthogonal"),
        ("depth-train", "kaiming"),
    ]
    assert len(found) == 4 + 3 + 3
    zeros = found[3]
    assert (zeros["rank"], zeros["diverged"], zeros["reached"], float(zeros["low"])) == ("4", "2", "0", -math.inf)
    assert float(zeros["steps_to_target"]) == math.inf
    assert float(found[0]["median"]) == leaderboards(realistic())[0].rows[0].value.median, "all digits"
    skipped = found[-1]
    assert (skipped["method"], skipped["n"], skipped["median"], skipped["skipped"]) == ("zeros", "0", "", "6")


def test_csv_labels_read_back_and_are_no_formulas() -> None:
    (row,) = csv.DictReader(io.StringIO(evil("csv")))
    assert row["method"] == plain(EVIL)
    assert cell("=1+1") == "'=1+1"
    assert cell("-x") == "'-x"


def test_json_is_strict_and_complete() -> None:
    def refuse(token: str) -> float:
        raise AssertionError(f"{token} is no JSON")

    found = json.loads(render(leaderboards(realistic()), "json"), parse_constant=refuse)
    first = found["leaderboards"][0]
    assert (found["schema"], first["task"]["target"]) == (1, {"metric": "val_accuracy", "value": 0.9})
    zeros = first["rows"][3]
    assert (zeros["value"]["low"], zeros["trials"][2]["status"], zeros["trials"][2]["values"]) == (
        "-Infinity",
        "diverged",
        {},
    )
    assert [t["seed"] for t in first["rows"][0]["trials"]] == list(range(6))
    assert first["rows"][1]["versus_best"]["p"] == 0.0625
    assert json.loads(evil("json"))["leaderboards"][0]["rows"][0]["method"] == EVIL


def test_nothing_to_show_is_valid_in_every_format() -> None:
    assert [render([], form) for form in FORMATS[:2]] == ["", ""]
    assert render([], "csv").startswith("spec,run,task,")
    assert json.loads(render([], "json"))["leaderboards"] == []


def test_an_unknown_format_names_those_there_are() -> None:
    with pytest.raises(ValueError, match='unknown format "pdf"; one of terminal, md, html, csv, json, svg'):
        render([], "pdf")


SIGNIFICANT = [(0.0123456, "0.0123"), (12.345, "12.3"), (12345.0, "12300"), (0.0, "0"), (0.9996, "1.00")]
SIGNIFICANT += [(1.23456e-5, "1.23e-05"), (-2e7, "-2.00e+07"), (math.inf, "inf")]


@pytest.mark.parametrize(("value", "text"), SIGNIFICANT)
def test_significant_digits(value: float, text: str) -> None:
    assert significant(value) == text


def test_a_column_has_as_many_decimals_as_its_largest_value_needs_and_more_where_values_lie_close() -> None:
    assert decimals([0.9417, 0.5]) == 4
    assert decimals([123.4, 99.0]) == 1
    assert decimals([0.99991, 0.99993]) == 4
    assert decimals([0.99991, 0.99993], extra=4) == 6
    assert decimals([0.5, 1e-6]) is None
    assert decimals([3e7, 4e7]) is None
    assert decimals([math.inf]) is None
    assert writer(None)(1e-6) == "1.000e-06"


def test_counts_bytes_and_durations_are_short() -> None:
    assert [time_unit(t)[1] for t in (3e-7, 0.4, 1.0, 90, 300, 8000)] == ["µs", "ms", "s", "s", "min", "h"]
    assert [short(n) for n in (0, 950, 999.96, 40_000, 1_214_000, 3.5e9)] == ["0", "950", "1k", "40k", "1.21M", "3.5G"]
    assert [memory(n) for n in (0, 1024, 312 << 20, 1 << 40)] == ["0 B", "1 KiB", "312 MiB", "1 TiB"]
