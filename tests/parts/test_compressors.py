"""Guards the compressors: against written forms, their identities, ties and bits."""

from __future__ import annotations

import math

import pytest
import torch

from harness.parts.compressors import dense_bits, onebit_bits, onebit_compress, onebit_decompress, top_k, top_k_bits

DTYPES = (torch.float32, torch.float64)


def vector(size: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 7, 8, 9, 100])
def test_what_a_bit_says_and_what_is_left_make_the_whole(size: int, dtype: torch.dtype) -> None:
    a, error = vector(size, 1, dtype), vector(size, 2, dtype)
    signs, scale, left = onebit_compress(a, error)
    q, whole = onebit_decompress(signs, scale, size), a + error
    eps = torch.finfo(dtype).eps
    assert (q + left - whole).abs().max() <= eps * (q.abs() + left.abs()).max()
    assert q.norm().item() == pytest.approx(whole.norm().item(), rel=4 * eps * size)
    assert scale.item() == pytest.approx(whole.norm().item() / math.sqrt(size), rel=4 * eps)
    assert q.dtype == left.dtype == scale.dtype == dtype
    assert signs.dtype == torch.uint8
    assert len(signs) == -(-size // 8)


def test_signs_are_packed_from_the_lowest_bit_and_zero_is_positive() -> None:
    a = torch.tensor([3.0, -1.0, 0.0, -0.0, -2.0, 1.0, -1.0, -1.0, -1.0, 5.0])
    signs, scale, left = onebit_compress(a, torch.zeros(10))
    assert signs.tolist() == [0b00101101, 0b10]
    assert scale.item() == pytest.approx(math.sqrt(4.3))
    assert left[2].item() == pytest.approx(-scale.item())


def test_a_vector_of_zeros_has_no_scale_and_no_error() -> None:
    signs, scale, left = onebit_compress(torch.zeros(9), torch.zeros(9))
    assert scale.item() == 0
    assert not onebit_decompress(signs, scale, 9).any()
    assert not left.any()


def test_error_feedback_telescopes() -> None:
    # the sum of what was sent is the sum of what was to be sent, up to the errors at the ends
    size, first = 50, vector(50, 99)
    error, sent, wanted = first, torch.zeros(size), torch.zeros(size)
    for step in range(200):
        a = vector(size, step) + 0.3
        signs, scale, error = onebit_compress(a, error)
        sent, wanted = sent + onebit_decompress(signs, scale, size), wanted + a
    assert torch.allclose(sent, wanted + first - error, atol=1e-11)
    assert error.norm() < 20 * math.sqrt(size)


@pytest.mark.parametrize("k", [1, 2, 5, 29, 30])
def test_the_largest_entries_are_those_of_a_stable_sort(k: int) -> None:
    for seed in range(20):
        x = (3 * vector(30, seed)).round()  # many ties
        wanted = sorted(sorted(range(30), key=lambda i: (-abs(x[i].item()), i))[:k])
        indices, values = top_k(x, k)
        assert indices.tolist() == wanted
        assert indices.dtype == torch.int64
        assert torch.equal(values, x[wanted])


def test_ties_go_to_the_lowest_index() -> None:
    x = torch.tensor([1.0, -2.0, 2.0, -2.0, 0.0, 2.0])
    assert [top_k(x, k)[0].tolist() for k in (1, 2, 3)] == [[1], [1, 2], [1, 2, 3]]
    assert top_k(torch.zeros(4), 2)[0].tolist() == [0, 1]


@pytest.mark.parametrize("k", [1, 10, 40, 100])
def test_top_k_is_a_contraction(k: int) -> None:
    x = vector(100)
    indices, values = top_k(x, k)
    cut = torch.zeros(100, dtype=torch.float64).index_add_(0, indices, values)
    assert (cut - x).square().sum() <= (1 - k / 100) * x.square().sum() + 1e-15


@pytest.mark.parametrize(("size", "index"), [(1, 0), (2, 1), (100, 7), (128, 7), (129, 8)])
def test_bits(size: int, index: int) -> None:
    for dtype, word in zip(DTYPES, (32, 64), strict=True):
        x = vector(size, dtype=dtype)
        assert dense_bits(x) == word * size
        assert onebit_bits(size, onebit_compress(x, x)[1]) == size + word
        assert top_k_bits(top_k(x, 1)[1], size) == word + index
    assert top_k_bits(torch.zeros(3), 100) == 3 * (32 + 7)
