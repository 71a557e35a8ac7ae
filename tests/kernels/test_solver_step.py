"""The linear step against sums and moments taken elsewhere, and what it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kernels.core.kernel import use_backend
from kernels.solver_step import linear_step, solver_step


def tensors(count: int, shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    return list(torch.randn(count, *shape, dtype=dtype, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("p", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("noisy", [False, True])
def test_it_is_the_weighted_sum(p, noisy):
    x, z, *terms = tensors(7, (513, 3))
    weights = [0.7, -1.1, 0.3, 2.0, -0.6][:p]
    found = linear_step(x, terms[:p], weights, c_x=0.8, z=z if noisy else None, c_noise=0.5)
    columns = np.stack([t.numpy() for t in (x, *terms[:p], z)])
    expected = np.tensordot([0.8, *weights, 0.5 if noisy else 0.0], columns, 1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("p", [1, 4, 5])
def test_it_has_the_bits_of_the_reference(p, dtype):
    x, z, *terms = tensors(7, (1000,), dtype)
    found = []
    for backend in ("reference", "cpu"):
        with use_backend(backend) as ran:
            found.append(linear_step(x, terms[:p], [1 / 3, -0.7, 0.1, 1.7, 0.9][:p], c_x=0.1, z=z, c_noise=2 / 3))
        assert ran == {"solver_step": backend}
    assert torch.equal(*found)


def test_a_row_does_not_know_how_many_follow():
    x, z, *terms = tensors(5, (1500, 7), torch.float32)
    whole = linear_step(x, terms, [0.3, -0.2, 0.9], z=z, c_noise=0.1)
    for begin, end in [(0, 1), (0, 77), (77, 1500), (1499, 1500)]:
        part = linear_step(x[begin:end], [t[begin:end] for t in terms], [0.3, -0.2, 0.9], z=z[begin:end], c_noise=0.1)
        assert torch.equal(part, whole[begin:end])


def test_moments_are_those_of_all_predictions():
    x, mean, m2, *predictions = tensors(9, (40, 3))
    mean.zero_()
    m2.zero_()
    for count, d in enumerate(predictions, 1):
        linear_step(x, [d], [1.0], mean=mean, m2=m2, count=count)
    stacked = torch.stack(predictions)
    torch.testing.assert_close(mean, stacked.mean(0), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(m2 / len(predictions), stacked.var(0, correction=0), rtol=1e-13, atol=1e-13)


def test_count_zero_leaves_the_moments():
    x, d, mean, m2 = tensors(4, (40, 3))
    before = mean.clone(), m2.clone()
    linear_step(x, [d], [1.0], mean=mean, m2=m2, count=0)
    assert torch.equal(mean, before[0])
    assert torch.equal(m2, before[1])


def test_out_may_be_x():
    x, d0, d1 = tensors(3, (1025,))
    expected = linear_step(x, [d0, d1], [0.5, 2.0], c_x=0.3)
    solver_step(x=x, d0=d0, d1=d1, out=x, weights=(0.5, 2.0), c_x=0.3)
    assert torch.equal(x, expected)


def test_empty():
    assert linear_step(torch.zeros(0, 3), [torch.zeros(0, 3)], [1.0]).shape == (0, 3)


@pytest.mark.parametrize(
    ("terms", "weights", "says"),
    [
        ([(4, 3)], [1.0], "shape"),
        ([(3, 4)], [1.0, 2.0], "1 terms and 2 weights"),
        ([(3, 4)] * 6, [1.0] * 6, "not 6"),
        ([], [], "not 0"),
    ],
)
def test_wrong_shapes_and_numbers(terms, weights, says):
    with pytest.raises(ValueError, match=says):
        linear_step(torch.zeros(3, 4), [torch.zeros(shape) for shape in terms], weights)


def test_moments_need_somewhere_to_go():
    with pytest.raises(ValueError, match="count"):
        linear_step(torch.zeros(3), [torch.zeros(3)], [1.0], count=1)
