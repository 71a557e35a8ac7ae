"""Guards DARE's masks: their law, independence of order and expert, nesting in the rate, and its two ends."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kernels.dare import dare_merge, dropped


def mask(key: int, n: int, rate: float) -> Tensor:
    kept, _ = dare_merge(base=torch.zeros(n), experts=[torch.ones(n)], keys=[key], drop_rate=rate, factors=[1.0])
    assert torch.equal(kept == 0, dropped(key, n, rate))
    return dropped(key, n, rate)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 0.99])
def test_entries_are_dropped_at_the_rate_and_alone(rate: float) -> None:
    n = 200_000
    drops = mask(11, n, rate).double()
    sigma = (rate * (1 - rate)) ** 0.5
    assert abs(drops.mean().item() - rate) < 4.5 * sigma / n**0.5
    for lag in (1, 2, 3, 4):  # four neighbours share a random block
        correlation = ((drops[lag:] - rate) * (drops[:-lag] - rate)).mean().item() / sigma**2
        assert abs(correlation) < 4.5 / n**0.5


def test_keys_have_masks_of_their_own() -> None:
    one, other = (mask(key, 100_000, 0.5) for key in (1, 2**64 - 1))
    assert abs((one == other).double().mean().item() - 0.5) < 4.5 * 0.5 / 100_000**0.5


def test_a_mask_does_not_depend_on_size_and_nests() -> None:
    assert torch.equal(mask(5, 1000, 0.7)[:333], mask(5, 333, 0.7))
    assert not (mask(5, 5000, 0.3) & ~mask(5, 5000, 0.8)).any()


def test_ends_of_the_rate() -> None:
    base, expert = torch.zeros(9), torch.arange(9.0)
    call = {"base": base, "experts": [expert], "keys": [3], "factors": [1.0]}
    everything, kept = dare_merge(**call, drop_rate=0.0)
    nothing, none = dare_merge(**call, drop_rate=1.0)
    assert torch.equal(everything, expert)
    assert torch.equal(nothing, base)
    assert (kept.item(), none.item()) == (8, 0)


def test_the_order_of_experts_decides_nothing() -> None:
    base, a, b = torch.randn(3, 500, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).unbind()
    forth, _ = dare_merge(base=base, experts=[a, b], keys=[7, 8], drop_rate=0.5, factors=[2.0, 3.0])
    back, _ = dare_merge(base=base, experts=[b, a], keys=[8, 7], drop_rate=0.5, factors=[3.0, 2.0])
    torch.testing.assert_close(forth, back, rtol=0, atol=1e-14)


def test_what_does_not_fit_is_refused() -> None:
    call = {"base": torch.zeros(3), "experts": [torch.ones(3)], "keys": [1], "factors": [1.0]}
    with pytest.raises(ValueError, match=r"drop_rate is 1.5, not in \[0, 1\]"):
        dare_merge(**call, drop_rate=1.5)
    with pytest.raises(ValueError, match="1 experts, 2 keys and 1 factors"):
        dare_merge(**{**call, "keys": [1, 2]}, drop_rate=0.5)
