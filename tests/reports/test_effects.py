"""Effect sizes and what n seeds can show: closed forms, scipy, simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reports.effects import (
    detectable_share,
    detectable_shift,
    detectable_shift_of_median,
    rank_biserial,
    seeds_to_settle,
    smallest_p,
)
from reports.pairs import paired
from reports.permutation import permutation_p
from reports.statistics import interval

#: Crossed minus self-fertilised maize in eighths of an inch, Darwin 1876 by way of Fisher 1935.
DARWIN = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)


def test_rank_biserial_is_the_simple_difference_of_rank_sums() -> None:
    statistic = stats.wilcoxon(DARWIN, alternative="greater").statistic
    total = len(DARWIN) * (len(DARWIN) + 1) / 2
    assert rank_biserial(DARWIN) == pytest.approx((statistic - (total - statistic)) / total)
    pair = paired(dict(enumerate(DARWIN)), dict.fromkeys(range(len(DARWIN)), 0.0))
    assert pair.effect_size == rank_biserial(DARWIN)
    assert (rank_biserial([1, 2, 3]), rank_biserial([-1, -math.inf]), rank_biserial([0, 0])) == (1, -1, 0)


def test_fishers_permutation_of_darwins_maize() -> None:
    # Fisher 1935, section 21: 863 + 863 of the 32768 patterns are at least as extreme.
    assert permutation_p(DARWIN) == pytest.approx(2 * 863 / 2**15)


@pytest.mark.parametrize("n", [2, 5, 9, 12])
def test_permutation_p_is_scipys_exact_one(n: int) -> None:
    a, b = np.random.default_rng(n).normal(0.4, 1, (2, n))

    def mean(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return np.mean(x - y, axis=axis)

    expected = stats.permutation_test((a, b), mean, permutation_type="samples", vectorized=True, n_resamples=np.inf)
    assert permutation_p((a - b).tolist()) == pytest.approx(expected.pvalue, rel=1e-12)


def test_many_pairs_are_permuted_at_random_and_repeatably() -> None:
    differences = np.random.default_rng(3).normal(0.35, 1, 40).tolist()
    found = permutation_p(differences)
    assert found == permutation_p(differences)
    assert found == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.01)


def test_permutation_of_nothing_different_and_of_infinite_values() -> None:
    assert permutation_p([0.0, 0.0]) == permutation_p([]) == 1
    with pytest.raises(ValueError, match="finite"):
        permutation_p([1.0, math.inf])


def test_the_smallest_p_is_that_of_both_tests() -> None:
    for n in (3, 5, 8):
        assert permutation_p([float(i) for i in range(1, n + 1)]) == smallest_p(n) == 2 ** (1 - n)


def test_detectable_share_at_eight_seeds_is_the_eighth_root() -> None:
    # At n = 8 the interval is the range: all eight must lie on one side.
    assert detectable_share(8) == pytest.approx(0.8 ** (1 / 8), abs=1e-12)
    assert detectable_shift_of_median(8) == pytest.approx(stats.norm.ppf(0.8 ** (1 / 8)), abs=1e-9)
    assert detectable_share(5) is None
    assert detectable_shift(5) is None


@pytest.mark.parametrize("n", [9, 20, 33])
def test_detectable_share_has_the_power_that_it_says(n: int) -> None:
    share = detectable_share(n) or pytest.fail("no share")
    draws = np.random.default_rng(1).normal(stats.norm.ppf(share), 1, (4000, n))
    assert np.mean([interval(row).low > 0 for row in draws.tolist()]) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("n", [8, 12, 20])
def test_detectable_shift_is_near_that_of_the_t_test_and_has_its_power(n: int) -> None:
    shift = detectable_shift(n) or pytest.fail("no shift")
    draws = np.random.default_rng(99).normal(shift, 1, (4000, n))
    p = stats.wilcoxon(draws, axis=1, method="exact").pvalue
    assert np.mean((p <= 0.05) & (draws.mean(1) > 0)) == pytest.approx(0.8, abs=0.02)
    critical = stats.t.ppf(0.975, n - 1)
    of_t = 1 - stats.nct.cdf(critical, n - 1, shift * math.sqrt(n))
    assert 0.78 < of_t < 0.92


def test_seeds_to_settle_reach_the_power_for_the_observed_share() -> None:
    found = seeds_to_settle([1.0] * 7 + [-1.0], 0.0) or pytest.fail("no number")
    assert found == 12
    for n, enough in ((11, False), (12, True)):
        k = next(k for k in range(n, 0, -1) if 1 - 2 * stats.binom.cdf(k - 1, n, 0.5) >= 0.95)
        assert (stats.binom.cdf(k - 1, n, 1 / 8) >= 0.8) == enough
    assert seeds_to_settle([1.0, -1.0], 0.0) is None
    assert seeds_to_settle([], 0.0) is None
