"""What a plain YAML scalar means: the core schema of YAML 1.2.2, section 10.3.2.

One thing is stricter.  An integer with a leading zero stays text: YAML 1.1 reads 012 as ten, the core schema as
twelve, and whoever writes it means neither for sure.
"""

from __future__ import annotations

import re

CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
SPECIAL = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
#: No one writes a longer number, and Python refuses to convert very long ones: such a scalar stays text.
LONGEST_NUMBER = 100


def resolve(text: str) -> bool | int | float | str | None:
    """Value of an unquoted scalar."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    if text[0] not in "+-.0123456789" or len(text) > LONGEST_NUMBER:
        return text
    if INTEGER.fullmatch(text):
        return int(text)
    if FLOAT.fullmatch(text):
        return float(text)
    if BASED.fullmatch(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    if SPECIAL.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text
