"""TIES-Merging: Yadav et al., "Resolving Interference When Merging Models", NeurIPS 2023, arXiv:2306.01708, alg. 1.

Trim each task vector t_k = theta_k - theta_0 to its largest magnitudes; elect the sign s = sign(sum_k t_k) of each
entry; tau = mean of the t_k that carry the elected sign; theta* = theta_0 + lambda * tau.

What the paper's code does, and so does this file with `scope: global`: all weights together form one task vector of N
entries, the entries kept are those at or above the (N - int(density N))-th smallest magnitude, which are
int(density N) + 1 entries and all that tie with the last one.  An entry whose trimmed values sum to exactly zero takes
the sign of the majority of entries; where this majority is itself a draw, it takes the negative values.  The code
fails at density 1, here nothing is trimmed then.  `scope: tensor` with `zero_sign: positive` is what mergekit does:
each tensor by itself, max(1, int(density n)) entries kept (and ties, of which mergekit drops some).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Literal

import torch
from torch import Tensor

from harness.parts.task_vectors import (
    BLOCK,
    Elected,
    carried_over,
    check_same_tensors,
    elect,
    task_vector,
    weight_names,
)
from harness.protocols.component import Params, component, param
from harness.protocols.merger import MergeContext, MergeResult, StateDict


class TiesParams(Params):
    density: float = param(0.2, gt=0, le=1, help="share of each task vector that is kept")
    lambda_: float = param(1.0, ge=0, help="scale of the merged task vector")
    scope: Literal["global", "tensor"] = param("global", help="trim and vote over all weights at once, or by tensor")
    merge_func: Literal["mean", "sum", "max"] = param("mean", help="what becomes of the values with the elected sign")
    zero_sign: Literal["majority", "positive"] = param("majority", help="sign of an entry whose values cancel exactly")


@component(
    slot="merger",
    key="ties",
    protocol="state-dict",
    version=1,
    paper="arXiv:2306.01708",
    params=TiesParams,
    flags=("needs_base",),
)
def ties(params: TiesParams, base: StateDict | None, experts: Sequence[StateDict], ctx: MergeContext) -> MergeResult:
    """Merge what survives trimming and agrees with the elected sign; experts count equally, as in the paper.

    Memory beyond inputs and result: one vector of all weights while a threshold is sought, then one block.
    """
    if base is None:
        raise ValueError("ties needs the base that the experts were fine-tuned from")
    check_same_tensors(experts, base)
    state, kept, conflicts = carried_over(experts, ctx.statistics), 0, 0
    names = [name for name in weight_names(base, ctx.statistics) if base[name].numel()]
    for group in [names] if params.scope == "global" else [[name] for name in names]:
        thresholds = [trim_threshold(params, base, expert, group, k) for k, expert in enumerate(experts)]
        merged = {name: vote(params, base[name], [expert[name] for expert in experts], thresholds) for name in group}
        majority = 1 if params.zero_sign == "positive" else sum(m.votes for m in merged.values())
        for name in group:
            state[name] = merged[name].apply(base[name], params.lambda_, majority)
        kept += sum(m.kept for m in merged.values())
        conflicts += sum(m.conflicts for m in merged.values())
    state |= {name: base[name].clone() for name in weight_names(base, ctx.statistics) if name not in state}
    size = max(1, sum(base[name].numel() for name in names))
    return MergeResult(state, {"kept": kept / size / len(experts), "conflicts": conflicts / size})


def trim_threshold(params: TiesParams, base: StateDict, expert: StateDict, names: Sequence[str], k: int) -> float:
    """Smallest magnitude that the task vector of expert `k` over `names` keeps."""
    if params.density >= 1:
        return 0.0
    dtype = reduce(torch.promote_types, (base[name].dtype for name in names), torch.float32)
    sizes = [base[name].numel() for name in names]
    magnitudes = torch.empty(sum(sizes), dtype=dtype)
    for part, name in zip(torch.split(magnitudes, sizes), names, strict=True):
        part.copy_(task_vector(expert[name], base[name]).abs_())
    if not bool(torch.isfinite(magnitudes.max())):
        raise ValueError(f"expert {k} differs from the base by a value that is not finite: it cannot be trimmed")
    n = magnitudes.numel()
    keep = int(n * params.density) + 1 if params.scope == "global" else max(1, int(n * params.density))
    values = magnitudes.numpy()
    values.partition(n - keep)  # selection in place: no copy, and far faster than a sort or torch.kthvalue
    return float(values[n - keep])


def vote(params: TiesParams, base: Tensor, experts: Sequence[Tensor], thresholds: Sequence[float]) -> Elected:
    """Trim one tensor's task vectors at the thresholds, elect the signs and merge, block by block."""
    flat, experts = base.reshape(-1), [expert.reshape(-1) for expert in experts]

    def trimmed(block: slice) -> Iterator[Tensor]:
        for expert, threshold in zip(experts, thresholds, strict=True):
            delta = task_vector(expert[block], flat[block])
            yield delta.masked_fill_(delta.abs() < threshold, 0.0)

    return elect(trimmed, base, params.merge_func, BLOCK)
