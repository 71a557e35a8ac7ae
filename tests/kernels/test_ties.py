"""Guards the TIES merge: the sequence other libraries run, cancellations in both passes, and hostile thresholds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from kernels.alternatives.ties import ties_merging
from kernels.core.backends import Backend
from kernels.core.kernel import use_backend
from kernels.ties import BLOCK, example, ties_merge


def given(n: int, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    return example(n, dtype, torch.Generator().manual_seed(3))


def cancelling(n: int) -> dict[str, Any]:
    """Entry 0 and entry 2 * BLOCK + 5 cancel; all others are elected positive."""
    experts = [torch.ones(n), torch.ones(n)]
    for i in (0, 2 * BLOCK + 5):
        experts[1][i] = -1.0
    marks = torch.zeros(-(-n // BLOCK), dtype=torch.int32)
    made = {"merged": torch.empty(n), "undecided": marks}
    return {"base": torch.zeros(n), "thresholds": torch.zeros(2), "experts": experts, **made, "scale": 1.0}


def test_same_as_the_sequence_of_other_libraries() -> None:
    arguments = given(3 * BLOCK + 7)
    ties_merge(**arguments)
    expected = ties_merging(arguments)()
    torch.testing.assert_close(arguments["merged"], expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("merge_func", ["mean", "sum", "max"])
@pytest.mark.parametrize("count", range(1, 9))
def test_any_number_of_experts_has_the_bits_of_the_reference(count: int, merge_func: Any) -> None:
    merged = {}
    backends: tuple[Backend, ...] = ("reference", "cpu")
    for backend in backends:
        call = given(2 * BLOCK + 3, torch.float32)
        call.update(experts=call["experts"][:count], thresholds=call["thresholds"][:count])
        with use_backend(backend):
            tally = ties_merge(**call, merge_func=merge_func)
        merged[backend] = (call["merged"], call["undecided"], tally)
    assert all(map(torch.equal, *merged.values()))


@pytest.mark.parametrize("merge_func", ["mean", "sum", "max"])
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_the_second_pass_turns_cancellations_alone(backend: Any, merge_func: Any) -> None:
    call = cancelling(4 * BLOCK)
    with use_backend(backend):
        tally = ties_merge(**call, merge_func=merge_func)
        first = call["merged"].clone()
        again = ties_merge(**call, merge_func=merge_func, draw=1, again=True)
    assert tally.tolist() == [4 * BLOCK - 2, 8 * BLOCK, 2, 2]
    assert call["undecided"].tolist() == [1, 0, 1, 0]
    assert again.tolist() == [0, 0, 0, 0]
    turned = (call["merged"] != first).nonzero().flatten().tolist()
    assert turned == [0, 2 * BLOCK + 5]
    assert (first[turned].tolist(), call["merged"][turned].tolist()) == ([-1.0, -1.0], [1.0, 1.0])


def test_one_pass_with_the_draw_known_is_both_passes() -> None:
    twice, once = cancelling(3 * BLOCK), cancelling(3 * BLOCK)
    ties_merge(**twice)
    ties_merge(**twice, draw=1, again=True)
    ties_merge(**once, draw=1)
    assert torch.equal(twice["merged"], once["merged"])


def test_one_expert_untrimmed_is_itself_and_trimmed_away_is_the_base() -> None:
    arguments = given(100)
    own = {**arguments, "experts": arguments["experts"][:1], "scale": 1.0}
    ties_merge(**{**own, "thresholds": torch.zeros(1, dtype=torch.float64)})
    torch.testing.assert_close(own["merged"], own["experts"][0], rtol=0, atol=1e-15)
    ties_merge(**{**own, "thresholds": torch.full((1,), torch.inf, dtype=torch.float64)})
    assert torch.equal(own["merged"], own["base"])


def test_half_precision_goes_to_the_reference_and_keeps_small_differences() -> None:
    base = torch.full((4,), 256.0, dtype=torch.bfloat16)
    call = cancelling(4 * BLOCK) | {"base": base, "experts": [base + 2], "thresholds": torch.zeros(1)}
    call |= {"merged": torch.empty_like(base), "undecided": torch.zeros(1, dtype=torch.int32)}
    with use_backend("auto") as ran:
        ties_merge(**call)
    assert ran == {"ties": "reference"}
    assert call["merged"].tolist() == [258.0] * 4


def test_experts_of_another_size_are_refused() -> None:
    arguments = given(10)
    short: list[Tensor] = [*arguments["experts"][:-1], torch.zeros(9, dtype=torch.float64)]
    with pytest.raises(ValueError, match="tensor 7 has 9 elements, not 10"):
        ties_merge(**{**arguments, "experts": short})
