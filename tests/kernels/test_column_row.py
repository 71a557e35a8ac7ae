"""Sums of column-row pairs against outer products, on both sides of the size where BLAS answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kernels.column_row import MOST, gather_scale_matmul


def problem(m, n, p, k, dtype=torch.float64):
    g = torch.Generator().manual_seed(m + k)
    a, b, scale = (torch.randn(*shape, dtype=dtype, generator=g) for shape in ((m, n), (n, p), (k,)))
    return {"a": a, "b": b, "index": torch.randint(n, (k,), generator=g), "scale": scale}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("m", "n", "p", "k"),
    [(5, 60, 5, 18), (1, 9, 1, 4), (3, 2, 33, 50), (40, 7, 2, 7), (91, 20, 91, 9), (110, 7, 120, 99)],
)
def test_it_is_the_sum_of_outer_products(m, n, p, k, dtype):
    given = problem(m, n, p, k, dtype)
    a, b, scale = (given[name].double().numpy() for name in ("a", "b", "scale"))
    expected = sum(s * np.outer(a[:, i], b[i]) for s, i in zip(scale, given["index"].tolist(), strict=True))
    found = gather_scale_matmul(**given)
    assert found.dtype == dtype
    epsilon = torch.finfo(dtype).eps
    np.testing.assert_allclose(found.numpy(), expected, atol=4 * epsilon * np.abs(expected).max(), rtol=0)


def test_both_sides_of_the_crossover_were_tried():
    assert 40 * 2 * 7 < min(MOST.values()) < max(MOST.values()) < 110 * 120 * 99


def test_all_pairs_once_are_the_product():
    given = problem(4, 30, 6, 30)
    given |= {"index": torch.randperm(30), "scale": torch.ones(30, dtype=torch.float64)}
    torch.testing.assert_close(gather_scale_matmul(**given), given["a"] @ given["b"])


def test_long_sums_in_single_precision_stay_close():
    given = problem(3, 50, 5, 20_000, torch.float32)
    exact = gather_scale_matmul.reference(**{k: v.double() if v.is_floating_point() else v for k, v in given.items()})
    error = (gather_scale_matmul(**given).double() - exact).abs().max() / exact.abs().max()
    assert error < 3e-5


def test_equal_arguments_give_equal_bits_and_nothing_is_written_to():
    given = problem(5, 60, 5, 18)
    before = {k: v.clone() for k, v in given.items()}
    assert torch.equal(gather_scale_matmul(**given), gather_scale_matmul(**given))
    assert all(torch.equal(given[k], v) for k, v in before.items())


@pytest.mark.parametrize(("m", "n", "p", "k"), [(3, 7, 4, 0), (0, 7, 4, 3), (3, 7, 0, 3), (3, 0, 4, 0)])
def test_no_pair_and_no_output(m, n, p, k):
    given = problem(m, max(n, 1), p, k)
    given["a"], given["b"] = given["a"][:, :n], given["b"][:n]
    assert torch.equal(gather_scale_matmul(**given), torch.zeros(m, p, dtype=torch.float64))


@pytest.mark.parametrize("side", [3, 110])
@pytest.mark.parametrize("index", [-8, 7])
def test_an_index_outside(side, index):
    given = problem(side, 7, side, 3, torch.float32)
    given["index"][1] = index
    with pytest.raises(IndexError):
        gather_scale_matmul(**given)


def test_wrong_shapes_and_dtypes():
    given = problem(3, 7, 4, 5)
    with pytest.raises(ValueError, match="give"):
        gather_scale_matmul(**{**given, "scale": given["scale"][:2]})
    with pytest.raises(ValueError, match="give"):
        gather_scale_matmul(**{**given, "b": given["b"][:3]})
    with pytest.raises(ValueError, match="dtypes"):
        gather_scale_matmul(**{**given, "b": given["b"].float()})
