"""Distances of projections against assignments and closed forms; the controls against numpy's variances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from kernels.sliced_wasserstein import PIECE, sliced_wasserstein


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def directions(count, dim, dtype=torch.float64):
    theta = normal(count, dim, seed=7, dtype=dtype)
    return theta / theta.norm(dim=1, keepdim=True)


def test_distances_are_the_best_assignments_and_controls_are_moments():
    x, y, theta = normal(7, 3), 2 * normal(7, 3, seed=1) + 1, directions(5, 3)
    answers = sliced_wasserstein(x=x, y=y, directions=theta)
    for direction, distance, lower, upper in zip(theta.numpy(), *answers, strict=True):
        p, q = x.numpy() @ direction, y.numpy() @ direction
        costs = (p[:, None] - q[None]) ** 2
        assert distance.item() == pytest.approx(costs[linear_sum_assignment(costs)].mean(), rel=1e-13)
        assert lower.item() == pytest.approx((p.mean() - q.mean()) ** 2, rel=1e-12)
        assert upper.item() == pytest.approx(lower.item() + np.var(p) + np.var(q), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_shift_a_scaling_and_a_point_are_known(dtype):
    x, theta = normal(500, 4, dtype=dtype), directions(9, 4, dtype)
    shift = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=dtype)
    tolerance = {"rtol": 2e-5 if dtype == torch.float32 else 1e-12, "atol": 0}
    distance, lower, _ = sliced_wasserstein(x=x, y=(x + shift).flip(0), directions=theta)
    torch.testing.assert_close(distance, (theta @ shift).square(), **tolerance)
    torch.testing.assert_close(lower, distance, **tolerance)
    distance, _, _ = sliced_wasserstein(x=x, y=3 * x, directions=theta)
    torch.testing.assert_close(distance, 4 * (theta @ x.T).square().mean(1), **tolerance)
    distance, _, upper = sliced_wasserstein(x=x, y=shift.expand(500, 4), directions=theta)
    torch.testing.assert_close(distance, upper, **tolerance)


def test_distance_lies_between_its_controls_for_normal_clouds():
    x, y = normal(20_000, 3), 2 * normal(20_000, 3, seed=1) + 1
    distance, lower, upper = sliced_wasserstein(x=x, y=y, directions=directions(20, 3))
    assert (lower < distance).all()
    assert (distance < upper).all()


def test_equal_clouds_in_another_order_are_at_distance_zero():
    x = normal(1000, 3)
    distance, lower, _ = sliced_wasserstein(x=x, y=x[torch.randperm(1000)], directions=directions(6, 3))
    assert distance.max() < 1e-29
    assert lower.max() < 1e-29


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_clouds_larger_than_a_piece(dtype):
    n = PIECE + 77
    given = {
        "x": normal(n, 2, dtype=dtype),
        "y": normal(n, 2, seed=1, dtype=dtype),
        "directions": directions(3, 2, dtype),
    }
    for found, expected in zip(sliced_wasserstein(**given), sliced_wasserstein.reference(**given), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4 if dtype == torch.float32 else 1e-11, atol=1e-10)


def test_a_large_mean_does_not_spoil_the_variance():
    x, y, theta = normal(2000, 3) + 1e6, normal(2000, 3, seed=1) + 1e6, directions(4, 3)
    _, lower, upper = sliced_wasserstein(x=x, y=y, directions=theta)
    expected = (theta @ (x - 1e6).T).var(1, correction=0) + (theta @ (y - 1e6).T).var(1, correction=0)
    torch.testing.assert_close(upper - lower, expected, rtol=1e-8, atol=0)


def test_equal_arguments_give_equal_bits_and_nothing_is_written_to():
    given = {"x": normal(301, 3), "y": normal(301, 3, seed=1), "directions": directions(5, 3)}
    before = {k: v.clone() for k, v in given.items()}
    first, again = sliced_wasserstein(**given), sliced_wasserstein(**given)
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert all(torch.equal(given[k], v) for k, v in before.items())


def test_no_direction_and_no_point():
    none = sliced_wasserstein(x=normal(4, 3), y=normal(4, 3), directions=normal(0, 3))
    assert [t.shape for t in none] == [(0,)] * 3
    empty = sliced_wasserstein(x=normal(0, 3), y=normal(0, 3), directions=directions(2, 3))
    assert all(t.isnan().all() for t in empty)


@pytest.mark.parametrize(
    ("x", "y", "theta", "says"),
    [
        (normal(5, 3), normal(4, 3), normal(2, 3), "clouds of 5 and 4 points"),
        (normal(5, 3), normal(5, 2), normal(2, 3), "give"),
        (normal(5, 3), normal(5, 3), normal(2, 4), "give"),
        (normal(5, 3), normal(5, 3).float(), normal(2, 3), "dtypes"),
    ],
)
def test_wrong_shapes(x, y, theta, says):
    with pytest.raises(ValueError, match=says):
        sliced_wasserstein(x=x, y=y, directions=theta)
