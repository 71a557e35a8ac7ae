"""Numbers and labels as text: aligned digits, short units, nothing in a label that a reader's screen would obey."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

#: Characters that Markdown or HTML may take for markup inside a table cell.
MARKUP = frozenset("\\`*[]<>|~$&{}")


def plain(text: object) -> str:
    """One printable line: line breaks, control and bidirectional characters are shown as escapes (`\\x1b`, `\\n`)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def markdown(text: object) -> str:
    """`plain` text that Markdown shows as it stands, also in a table cell; HTML tags stay text."""
    line = plain(text)
    return "".join(
        f"&{ {'<': 'lt', '>': 'gt', '&': 'amp'}[c]};" if c in "<>&" else f"\\{c}" if c in MARKUP or _opens(line, i) else c
        for i, c in enumerate(line)
    )


def _opens(line: str, i: int) -> bool:
    """An underscore that could start or end emphasis: one that does not stand inside a word."""
    inside = 0 < i < len(line) - 1 and line[i - 1].isalnum() and line[i + 1].isalnum()
    return line[i] == "_" and not inside


def cell(text: object) -> str:
    """`plain` text that a spreadsheet does not take for a formula: a quote is put before = + - @."""
    line = plain(text)
    return f"'{line}" if line[:1] in ("=", "+", "-", "@") else line


def significant(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, without exponent between 1e-3 and 1e6: 0.0123, 12.3, 12300, 1.23e-05."""
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    if not 1e-3 <= abs(rounded) < 1e6:
        return f"{value:.{digits - 1}e}"
    return f"{rounded:.{max(0, digits - 1 - math.floor(math.log10(abs(rounded))))}f}"


def aligned(values: Iterable[float], digits: int = 4) -> Callable[[float], str]:
    """How to write the numbers of one column: the same decimals for all, so that digits stand under digits.

    The largest value gets `digits` significant digits, more (at most four) where the values lie close together.  A
    column that spans more than three orders of magnitude, or is tiny or huge, gets `digits` significant digits a value.
    """
    finite = [v for v in values if math.isfinite(v)]
    sizes = [abs(v) for v in finite if v != 0]
    if not sizes:
        return lambda value: significant(value, digits)
    if min(sizes) < 1e-3 * max(sizes) or max(sizes) < 1e-3 or max(sizes) >= 1e6:
        return lambda value: significant(value, digits)
    decimals = digits - 1 - math.floor(math.log10(max(sizes)))
    spread = max(finite) - min(finite)
    if spread > 0:
        decimals = max(decimals, min(decimals + 4, 1 - math.floor(math.log10(spread))))
    places = max(0, decimals)
    return lambda value: f"{value:.{places}f}" if math.isfinite(value) else significant(value)


def short(count: float, digits: int = 3) -> str:
    """A count with an SI letter: 950, 40k, 1.21M, 3.5G."""
    size = abs(count)
    for letter, unit in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if size >= 0.9995 * unit:
            return f"{float(f'{count / unit:.{digits}g}'):g}{letter}"
    return f"{count:.{digits}g}" if count != int(count) else f"{int(count)}"


def memory(size: float) -> str:
    """Bytes in binary units with three digits: 312 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1000 or unit == "GiB":
            return f"{size:.3g} {unit}" if abs(size) < 999.5 else f"{size:.0f} {unit}"
        size /= 1024
    raise AssertionError("unreachable")


def percent(share: float) -> str:
    """A coverage with one decimal, cut and not rounded up, so that it never promises more than it holds: 96.8 %."""
    return f"{math.floor(share * 1000 + 1e-9) / 10:.1f} %"


def pad(texts: Sequence[str]) -> list[str]:
    """The texts filled with spaces on the left to equal width."""
    width = max(map(len, texts), default=0)
    return [text.rjust(width) for text in texts]


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
