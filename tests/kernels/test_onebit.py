"""One-bit compression against numpy's packing, its identities, and bit-equal means of what it packs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kernels.core.kernel import use_backend
from kernels.onebit import onebit_compress
from kernels.onebit_mean import onebit_mean


def vectors(n: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    a, error = torch.randn(2, n, dtype=dtype, generator=torch.Generator().manual_seed(n))
    return a, error


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("n", [1, 7, 8, 1023, 1024, 1025, 5000])
def test_it_packs_like_numpy(n, backend):
    a, error = vectors(n)
    c = (a + error).numpy()
    with use_backend(backend):
        signs, scale = onebit_compress(a=a, error=error)
    np.testing.assert_array_equal(signs.numpy(), np.packbits(c >= 0, bitorder="little"))
    assert scale.item() == pytest.approx(np.linalg.norm(c.astype(np.float64)) / math.sqrt(n), rel=1e-7)
    np.testing.assert_array_equal(error.numpy(), c - np.where(c >= 0, scale.numpy(), -scale.numpy()))


def test_signs_are_packed_from_the_lowest_bit_and_zero_is_positive():
    a = torch.tensor([3.0, -1.0, 0.0, -0.0, -2.0, 1.0, -1.0, -1.0, -1.0, 5.0])
    signs, scale = onebit_compress(a=a, error=torch.zeros(10))
    assert signs.tolist() == [0b00101101, 0b10]
    assert scale.item() == pytest.approx(math.sqrt(4.3))


def test_the_norm_does_not_overflow_in_float32():
    a = torch.full((100,), 1e30)
    _, scale = onebit_compress(a=a, error=torch.zeros(100))
    assert scale.item() == pytest.approx(1e30, rel=1e-6)


def test_a_view_is_compressed_where_it_is():
    a, error = vectors(40)
    whole = error.clone()
    for part, left in zip(a.tensor_split(3), error.tensor_split(3), strict=True):
        onebit_compress(a=part, error=left)
    assert not (error == whole).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "size"), [(1, 1), (1, 77), (5, 1024), (8, 2051)])
def test_the_mean_is_that_of_numpy_and_the_bits_those_of_the_reference(n, size, dtype):
    generator = torch.Generator().manual_seed(size)
    signs = torch.randint(256, (n, -(-size // 8)), dtype=torch.uint8, generator=generator)
    scales = torch.rand(n, dtype=dtype, generator=generator)
    found = []
    for backend in ("cpu", "reference"):
        with use_backend(backend):
            found.append(onebit_mean(scales=scales, signs=signs, size=size))
    assert torch.equal(*found)
    bits = np.unpackbits(signs.numpy(), axis=1, count=size, bitorder="little")
    expected = (scales.double().numpy()[:, None] * np.where(bits, 1.0, -1.0)).mean(0)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=4e-7)


def test_unpacking_gives_what_was_left_out():
    a, error = vectors(999, torch.float64)
    c = a + error
    signs, scale = onebit_compress(a=a, error=error)
    said = onebit_mean(scales=scale.reshape(1), signs=signs.unsqueeze(0), size=999)
    assert torch.equal(c - said, error)


def test_empty():
    signs, scale = onebit_compress(a=torch.zeros(0), error=torch.zeros(0))
    assert (len(signs), scale.item()) == (0, 0.0)
    assert len(onebit_mean(scales=scale.reshape(1), signs=signs.unsqueeze(0), size=0)) == 0


def test_wrong_shapes():
    with pytest.raises(ValueError, match="do not fit"):
        onebit_compress(a=torch.zeros(3), error=torch.zeros(4))
    with pytest.raises(ValueError, match="do not hold 2 vectors of 9 bits"):
        onebit_mean(scales=torch.ones(2), signs=torch.zeros(2, 1, dtype=torch.uint8), size=9)
    with pytest.raises(ValueError, match="at least one"):
        onebit_mean(scales=torch.ones(0), signs=torch.zeros(0, 1, dtype=torch.uint8), size=8)
