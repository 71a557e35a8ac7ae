"""How large an effect is, and how large it had to be for so many seeds to show it.

Sources: D. S. Kerby, "The simple difference formula", Comprehensive Psychology 3, 2014 (rank-biserial correlation);
W. J. Conover, "Practical Nonparametric Statistics", 3rd edition, section 3.4 (sign test); Hollander, Wolfe, Chicken,
"Nonparametric Statistical Methods", 3rd edition, section 3.1 (power of the signed-rank test).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

from reports.pairs import rank_biserial, smallest_p, walsh_ranks
from reports.statistics import LEVEL, median_ranks

__all__ = [
    "POWER",
    "detectable_share",
    "detectable_shift",
    "detectable_shift_of_median",
    "rank_biserial",
    "seeds_to_settle",
    "smallest_p",
]

POWER = 0.8
#: Most seeds that `seeds_to_settle` will propose.
MOST_SEEDS = 1000
#: Simulated experiments behind `detectable_shift`: its error is below one percent.
EXPERIMENTS = 20_000


def detectable_share(n: int, power: float = POWER, level: float = LEVEL) -> float | None:
    """Smallest share of seeds on one side for which n seeds put the median's interval on that side, with this power.

    The order-statistic interval lies above a margin if at most k - 1 of n differences do not, which happens with
    probability P(B < k), B binomial(n, 1 - share).  None where n allows no interval.
    """
    ranks = median_ranks(n, level)
    if ranks is None:
        return None
    low, high = 0.5, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(ranks[0] - 1, n, 1 - middle) < power:
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=256)
def detectable_shift(n: int, power: float = POWER, level: float = LEVEL) -> float | None:
    """Smallest difference, in standard deviations of the paired differences, that n pairs separate with this power.

    Separated means that the signed-rank interval leaves zero on the right side.  For normal differences of variance 1
    shifted by d, that is V + d > 0 for the k-th smallest Walsh average V of n standard normal numbers, so d is the
    `power` quantile of -V, taken over `EXPERIMENTS` draws of a fixed seed.  None where n allows no interval.
    """
    ranks = walsh_ranks(n, level)
    if ranks is None:
        return None
    import numpy as np

    draws = np.random.default_rng(n).standard_normal((EXPERIMENTS, n))
    i, j = np.triu_indices(n)
    rows = max(1, 2**21 // len(i))
    lowest = [
        np.partition((part[:, i] + part[:, j]) / 2, ranks[0] - 1, axis=1)[:, ranks[0] - 1]
        for part in np.split(draws, range(rows, EXPERIMENTS, rows))
    ]
    return float(np.quantile(-np.concatenate(lowest), power))


def detectable_shift_of_median(n: int, power: float = POWER, level: float = LEVEL) -> float | None:
    """The same for the order-statistic interval: the normal quantile of `detectable_share`."""
    share = detectable_share(n, power, level)
    return None if share is None else NormalDist().inv_cdf(share)


def seeds_to_settle(
    differences: Sequence[float], margin: float, power: float = POWER, level: float = LEVEL
) -> int | None:
    """About how many seeds would put the median's interval on one side of the margin, with this power.

    Supposes that a seed lies beyond the margin as often as it did here (exactly on it counts half), and takes the
    fewest n for which P(B < k), B binomial(n, smaller share), reaches `power`, k being the rank of the interval's end.
    None where more than `MOST_SEEDS` were needed, as when half of the seeds lie on either side.
    """
    if not differences:
        return None
    beyond = sum(1.0 if d > margin else 0.5 if d == margin else 0.0 for d in differences) / len(differences)
    other = min(beyond, 1 - beyond)
    n = len(differences) + 1
    while n <= MOST_SEEDS:
        ranks = median_ranks(n, level)
        if ranks is not None and _at_most(ranks[0] - 1, n, other) >= power:
            return n
        n += max(1, n // 50)
    return None


def _at_most(k: int, n: int, share: float) -> float:
    """P(B <= k) for B binomial(n, share)."""
    if share <= 0:
        return 1.0
    if share >= 1:
        return float(k >= n)
    inside, outside = math.log(share), math.log1p(-share)
    whole = math.lgamma(n + 1)
    logs = (whole - math.lgamma(j + 1) - math.lgamma(n - j + 1) + j * inside + (n - j) * outside for j in range(k + 1))
    return math.fsum(map(math.exp, logs))
