"""What a published page must not tell: where things lie on the machine that ran them.

Paths stand in recorded command lines, in logs (tracebacks) and in reasons.  A command keeps what repeats it: the spec
by its file's name, and no registry.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Options whose value says only where somebody keeps files.
PLACES = ("--registry",)
#: A path from the root, a home or a folder above, with at least one folder in it; no part of an address or a fraction.
PATH = re.compile(
    r"(?<![\w.:/~\\-])(?:file://|[A-Za-z]:(?=[/\\]))?(?:~[\w.-]*|\.\.)?(?:[/\\][\w.+@%~-]+)+[/\\]([\w.+@%~-]*)"
)
#: Folders from which on the path of a module is the same on every machine.
KNOWN = re.compile(r"[/\\](?:site-packages|(?=(?:harness|kernels|registry|reports|specs|tests)[/\\]))[/\\]?(.+)$")


def command_line(argv: Sequence[str]) -> list[str]:
    """The words of a command without the places of a machine: `bench run mine.yaml -j 1`."""
    shown: list[str] = []
    place = False
    for number, word in enumerate(argv):
        if place or word.startswith(tuple(f"{option}=" for option in PLACES)):
            place = False
        elif word in PLACES:
            place = True
        else:
            shown.append(_word(word) if number else _name(word).replace("__main__.py", "bench"))
    return shown


def _word(word: str) -> str:
    """One word of a command; a path in it may hold blanks, since the word ends where it ends."""
    option, is_given, value = word.partition("=") if word.startswith("-") else ("", "", word)
    away = value.startswith(("/", "~", "..", "file:")) or re.match(r"[A-Za-z]:[/\\]", value)
    return option + is_given + (_short(value) if away else value)


def without_paths(text: str) -> str:
    """Text in which every path of the machine is cut to the module or the file that it names."""
    return PATH.sub(lambda found: _short(found[0]), text) if "/" in text or "\\" in text else text


def _short(path: str) -> str:
    known = KNOWN.search(path)
    return known[1] if known else _name(path.rstrip("/\\"))


def _name(path: str) -> str:
    return re.split(r"[/\\]", path)[-1]
