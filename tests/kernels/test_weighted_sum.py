"""Guards the weighted sum: exact rational sums, identities of averaging, half precision, empty tensors, wrong sizes."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from kernels.core.kernel import use_backend
from kernels.weighted_sum import weighted_sum


@pytest.mark.parametrize("count", [1, 2, 3, 8, 17])
def test_equals_exact_arithmetic(count: int) -> None:
    tensors = torch.randn(count, 5, generator=torch.Generator().manual_seed(count)).unbind()
    weights = [0.5 - k for k in range(count)]
    merged = weighted_sum(tensors=tensors, weights=weights, divisor=4.0, scale=0.25, base=tensors[0])
    for i in range(5):
        exact = sum(Fraction(w) * Fraction(t[i].item()) for w, t in zip(weights, tensors, strict=True)) / 16
        assert merged[i].item() == pytest.approx(float(exact + Fraction(tensors[0][i].item())), rel=1e-7)


def test_large_and_small_terms_keep_their_bits() -> None:
    tensors = [torch.tensor([v]) for v in (2.0**25, 1.0, -(2.0**25), 1.0)]
    assert weighted_sum(tensors=tensors, weights=[1.0] * 4).item() == 2.0


def test_shape_and_half_precision() -> None:
    tensors = [torch.ones(2, 3, dtype=torch.bfloat16)] * 300
    with use_backend("auto") as ran:
        merged = weighted_sum(tensors=tensors, weights=[1.0] * 300, divisor=300.0)
    assert ran == {"weighted_sum": "reference"}
    assert torch.equal(merged, tensors[0])


def test_scalars_and_empty_tensors_pass() -> None:
    assert weighted_sum(tensors=[torch.tensor(3.0)] * 2, weights=[1.0, 1.0]).shape == ()
    assert weighted_sum(tensors=[torch.zeros(0, 4)] * 2, weights=[1.0, 1.0]).shape == (0, 4)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="1 weights for 2 tensors"):
        weighted_sum(tensors=[torch.zeros(2)] * 2, weights=[1.0])
    with pytest.raises(ValueError, match="tensor 1 has 3 elements, not 2"):
        weighted_sum(tensors=[torch.zeros(2), torch.zeros(3)], weights=[1.0, 1.0])
