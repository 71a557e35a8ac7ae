"""Pages tell commands, logs and reasons without the places where somebody keeps files."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.site.private import command_line, without_paths


def test_a_command_keeps_its_spec_by_name_and_loses_its_registry() -> None:
    words = ["/opt/venv/bin/bench", "run", "/home/me/my specs/mine.yaml", "--registry", "/data/r", "-j", "2"]
    assert command_line(words) == ["bench", "run", "mine.yaml", "-j", "2"]
    words = ["bench", "run", "~/mine.yaml", "--registry=/data/r", "--plugin=/home/me/p.py", "--only", "a@b/c"]
    assert command_line(words) == ["bench", "run", "mine.yaml", "--plugin=p.py", "--only", "a@b/c"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('File "/home/me/lib/site-packages/torch/nn/mod.py", line 3', 'File "torch/nn/mod.py", line 3'),
        ('File "/srv/checkout/harness/tasks/a.py", line 2', 'File "harness/tasks/a.py", line 2'),
        ("no such file: /home/me/data/digits.npz", "no such file: digits.npz"),
        ("C:\\Users\\me\\x.py", "x.py"),
        ("../../other/x.yaml", "x.yaml"),
        ("see https://example.org/a/b and 1/2 of a/b/c", "see https://example.org/a/b and 1/2 of a/b/c"),
        ("loss / best, arXiv:1412.6980", "loss / best, arXiv:1412.6980"),
    ],
)
def test_text_keeps_modules_addresses_and_fractions(text: str, shown: str) -> None:
    assert without_paths(text) == shown


def test_no_file_of_a_site_holds_a_place_of_the_machine(site: Path) -> None:
    for path in site.rglob("*"):
        if path.is_file() and path.name != "vega.js":
            assert "secret-place" not in path.read_text(), path
