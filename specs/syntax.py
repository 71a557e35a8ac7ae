"""The YAML parser's complaints in our own words, at the token to mend."""

from __future__ import annotations

from typing import Any

from specs.errors import Problems
from specs.nodes import Place, quoted

#: Part of the parser's complaint -> (what was found, with `{}` for the text there; what was expected).
#: libyaml and PyYAML's own parser word a few of them differently.
WORDS: dict[str, tuple[str, str]] = {
    "cannot start any token": ("{} at the start of a value", "quotes around such text"),
    "mapping values are not allowed": (
        'a second ": " in one line, or a line indented differently from its neighbours',
        'one "key: value" per line, keys of one map in one column, text that holds ": " in quotes',
    ),
    "could not find expected ':'": ("{} without a value", 'a key followed by ": "'),
    "expected ',' or ']'": ("{}", '"," or "]"'),
    "expected ',' or '}'": ("{}", '"," or "}"'),
    "unexpected end of stream": ("a quote that is never closed", "the closing quote"),
    "expected key": ("{}", "a key in the column of its neighbours, or text in quotes"),
    "expected <block end>": ("{}", "a key in the column of its neighbours, or text in quotes"),
    "expected '-' indicator": ("{}", '"- " in the column of its neighbours'),
    "expected node content": ("{}", "a value"),
    "expected the node content": ("{}", "a value"),
    "expected <document start>": ("{}", "nothing after the document's end"),
    "expected '<document start>'": ("{}", "nothing after the document's end"),
    "block sequence entries are not allowed": ('"- " inside a line', "a list in brackets, or on lines of its own"),
    "sequence entries are not allowed": ('"- " inside a line', "a list in brackets, or on lines of its own"),
    "unknown escape character": ("{} after a backslash", "a known escape, or single quotes"),
    "directive": ("a line that starts with %", "no directive, or %YAML 1.2"),
    "alphabetic or numeric character": ("a bare * or &", "a name after it, or quotes around the text"),
}
#: Complaints whose cause is where the construct began, not where the parser gave up.
AT_START = ("could not find expected ':'", "unexpected end of stream")


def tell_syntax_error(error: Exception, text: str, file: str, problems: Problems) -> None:
    """Note what the parser complained about."""
    complaint = str(getattr(error, "problem", None) or "")
    opened = getattr(error, "context_mark", None)
    mark = getattr(error, "problem_mark", None)
    if opened is not None and (mark is None or any(part in complaint for part in AT_START)):
        mark = opened
    place = Place(file, mark.line + 1, mark.column + 1) if mark is not None else Place(file, 1, 1)
    token = _token(text, mark)
    if token == "a tab":
        problems.add(place, "", "a tab", "spaces for indentation")
        return
    found, expected = next((words for part, words in WORDS.items() if part in complaint), ("{}", "valid YAML"))
    if opened is not None and expected.startswith('","'):
        expected += f" (opened on line {opened.line + 1})"
    problems.add(place, "", found.format(token), expected)


def _token(text: str, mark: Any) -> str:
    """The piece of text at `mark`, quoted; told in words where there is none."""
    rest = text[mark.index :] if mark is not None else text
    if not rest.strip():
        return "the end of the file"
    if rest[0] == "\t":
        return "a tab"
    line = rest.split("\n", 1)[0].strip()
    if not line:
        return "the end of the line"
    word = line.split(" ", 1)[0]
    return quoted(line[0] if line[0] in "@`%,[]{}|>&*!-" else word)
