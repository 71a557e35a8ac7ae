"""Paired permutation test of the mean difference, beside the signed-rank test, which sees ranks alone.

If the two methods are equal, each difference could as well have the other sign.  p is the share of all sign patterns
whose sum is as far from zero as the observed one.

Sources: R. A. Fisher, "The Design of Experiments", 1935, section 21; for random patterns B. Phipson, G. K. Smyth,
Statistical Applications in Genetics and Molecular Biology 9, 2010 (one is added above and below).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

#: All 2^(n - 1) patterns up to sign are summed up to so many differences, random ones beyond.
MOST_EXACT = 16
PATTERNS = 20_000
#: Sums that differ by less than this share of the largest one are equal: they differ by rounding alone.
ROUNDING = 1e-12


def permutation_p(differences: Sequence[float]) -> float:
    """Two-sided p of the hypothesis that the differences are as likely to be positive as negative.

    Exact up to `MOST_EXACT` differences that are not zero; beyond, from `PATTERNS` patterns of a fixed seed, and never
    below 1 / (PATTERNS + 1).

    Raises:
        ValueError: a difference is NaN or infinite, so there is no mean; the signed-rank test takes infinite ones.
    """
    if not all(map(math.isfinite, differences)):
        raise ValueError("a mean difference takes finite numbers: use the signed-rank test where a trial diverged")
    sizes = [abs(d) for d in differences if d]
    observed = abs(math.fsum(differences)) - ROUNDING * sum(sizes)
    if len(sizes) <= MOST_EXACT:
        sums = _all_sums(sizes)
        return sum(abs(s) >= observed for s in sums) / len(sums)
    source = Random(0)
    extreme = sum(abs(_signed_sum(sizes, source.getrandbits(len(sizes)))) >= observed for _ in range(PATTERNS))
    return (extreme + 1) / (PATTERNS + 1)


def _all_sums(sizes: Sequence[float]) -> list[float]:
    """Sums under all signs; the first sign is fixed, since a pattern and its opposite are equally far from zero."""
    sums = [sizes[0]] if sizes else [0.0]
    for size in sizes[1:]:
        sums = [s + signed for s in sums for signed in (size, -size)]
    return sums


def _signed_sum(sizes: Sequence[float], signs: int) -> float:
    return sum(size if signs >> i & 1 else -size for i, size in enumerate(sizes))
