"""Sweeps: `{grid: [...]}` and `{log: [low, high], n: k}` in the place of any parameter."""

from __future__ import annotations

import math
from collections.abc import Iterable

from specs.errors import Problems
from specs.extends import is_sweep
from specs.fields import known_fields
from specs.nodes import ListNode, MapNode, Node, Scalar, short, shown, under

#: Trials of one spec, and so points of one sweep.
MOST_TRIALS = 100_000
#: Digits told from the exact value of a point: the error stays below 1 % of the step to the next point.
SPARE_DIGITS = 3
FEWEST_DIGITS = 4


def size(node: Node) -> int:
    """How many points a component, task or value expands to; needs no catalogue."""
    if is_sweep(node) and isinstance(node, MapNode):
        grid, n = node.get("grid"), node.get("n")
        if isinstance(grid, ListNode):
            return max(1, sum(size(item) for item in grid.items))
        return n.value if isinstance(n, Scalar) and type(n.value) is int and n.value > 0 else 1
    if isinstance(node, MapNode):
        return product(size(value) for _, value in node.entries.values())
    return 1


def product(sizes: Iterable[int]) -> int:
    """The product, cut at a number too large for any spec."""
    total = 1
    for factor in sizes:
        total = min(total * factor, 10**9)
    return total


def points(node: MapNode, field: str, type_: str, problems: Problems) -> list[tuple[Node, str]]:
    """The values of a sweep, each with the field path of its token; empty when the sweep itself is at fault.

    Args:
        node: the sweep's map.
        type_: type of the parameter; `log` is for float and int, and rounds for int.
    """
    grid, log = node.get("grid"), node.get("log")
    if grid is not None and log is not None:
        problems.add(node.entries["log"][0], field, "grid and log in one sweep", "one of the two")
        return []
    known, _ = known_fields(node.entries, ("grid",) if grid is not None else ("log", "n"), field, problems)
    sound = len(known) == len(node.entries)
    if grid is not None:
        if not isinstance(grid, ListNode) or not grid.items:
            problems.add(grid, under(field, "grid"), shown(grid), "a list of values")
            return []
        return [(item, f"{field}.grid[{i}]") for i, item in enumerate(grid.items)] if sound else []
    if type_ not in ("float", "int"):
        problems.add(node.entries["log"][0], field, "a log sweep", "a grid, since the parameter is not a number")
        return []
    ends = interval(known["log"], under(field, "log"), positive=True, problems=problems)
    n = known.get("n")
    if n is None:
        if sound:
            problems.missing(node, field, 'required field "n" (an integer >= 2)')
        return []
    if not isinstance(n, Scalar) or type(n.value) is not int or not 2 <= n.value <= MOST_TRIALS:
        problems.add(n, under(field, "n"), shown(n), f"an integer >= 2 and <= {MOST_TRIALS}")
        return []
    if ends is None or not sound:
        return []
    low, high = ends
    inner: list[float] = log_points(number_of(low) or 0, number_of(high) or 0, n.value)[1:-1]
    values = [round(value) if type_ == "int" else value for value in inner]
    between: list[Node] = [Scalar(node.file, node.line, node.column, value, short(value)) for value in values]
    return [(low, f"{field}.log[0]"), *((point, field) for point in between), (high, f"{field}.log[1]")]


def interval(node: Node, field: str, positive: bool, problems: Problems) -> tuple[Scalar, Scalar] | None:
    """The two ends of `[low, high]`, or None and a note in `problems`."""
    kind = "positive numbers" if positive else "numbers"
    ends = node.items if isinstance(node, ListNode) else []
    if len(ends) != 2:
        problems.add(node, field, shown(node), f"two {kind}, [low, high]")
        return None
    numbers = [number_of(end) for end in ends]
    wrong = [i for i, x in enumerate(numbers) if x is None or not math.isfinite(x) or (positive and x <= 0)]
    for i in wrong:
        problems.add(ends[i], f"{field}[{i}]", shown(ends[i]), f"a {kind[:-1]}")
    low, high = ends
    if wrong or not isinstance(low, Scalar) or not isinstance(high, Scalar):
        return None
    if not (number_of(low) or 0) < (number_of(high) or 0):
        problems.add(high, f"{field}[1]", shown(high), f"a number greater than {shown(low)}")
        return None
    return low, high


def number_of(node: Node) -> float | None:
    """The value if it is a number; true and false are none."""
    if isinstance(node, Scalar) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    return None


def log_points(low: float, high: float, n: int) -> list[float]:
    """`n` values from `low` to `high`, equally spaced in their logarithms.

    The ends are exact.  Values between are cut to few decimals: labels stay short, and a last bit in which two
    machines' logarithms differ changes no trial's identity.
    """
    first, last = math.log10(low), math.log10(high)
    step = (last - first) / (n - 1)
    digits = min(17, max(FEWEST_DIGITS, SPARE_DIGITS - math.floor(math.log10(max(step, 1e-17) * math.log(10)))))
    return [low, *(float(f"{10 ** (first + i * step):.{digits - 1}e}") for i in range(1, n - 1)), high]
