"""Weight averaging: the uniform soup of Wortsman et al., "Model soups", ICML 2022, arXiv:2203.05482, section 2.

theta* = sum_k w_k theta_k / sum_k w_k, with w_k = 1 unless the task weights its experts.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.parts.task_vectors import carried_over, check_same_tensors, combine, weight_names
from harness.protocols.component import Params, component, param
from harness.protocols.merger import MergeContext, MergeResult, StateDict


class AverageParams(Params):
    normalize: bool = param(True, help="divide by the sum of the experts' weights")


@component(
    slot="merger", key="average", protocol="state-dict", version=1, paper="arXiv:2203.05482", params=AverageParams
)
def average(
    params: AverageParams, base: StateDict | None, experts: Sequence[StateDict], ctx: MergeContext
) -> MergeResult:
    """Average the weights of all experts; the base is not used, nor needed."""
    check_same_tensors(experts, base)
    like = experts[0] if base is None else base
    state = carried_over(experts, ctx.statistics, ctx.weights)
    for name in weight_names(like, ctx.statistics):
        merged = combine([expert[name] for expert in experts], ctx.weights, params.normalize)
        state[name] = merged.to(like[name].dtype)
    return MergeResult(state)
