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

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import torch
from torch import Tensor

from harness.parts.task_vectors import accumulator, carried_over, check_same_tensors, weight_names
from harness.protocols.component import Params, component, param
from harness.protocols.merger import MergeContext, MergeResult, StateDict

#: Entries merged at a time: the buffers of one block stay in the second-level cache.
BLOCK = 1 << 15


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
        merged = {name: elect(params, base[name], [expert[name] for expert in experts], thresholds) for name in group}
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
        part.copy_(_delta(expert[name], base[name]).abs_())
    if not bool(torch.isfinite(magnitudes.max())):
        raise ValueError(f"expert {k} differs from the base by a value that is not finite: it cannot be trimmed")
    n = magnitudes.numel()
    keep = int(n * params.density) + 1 if params.scope == "global" else max(1, int(n * params.density))
    values = magnitudes.numpy()
    values.partition(n - keep)  # selection in place: no copy, and far faster than a sort or torch.kthvalue
    return float(values[n - keep])


@dataclass(frozen=True)
class Elected:
    """One tensor's merged task vector; the entries that cancel exactly wait for the majority of all tensors.

    Args:
        tau: merged task vector, flat.
        undecided: positions whose trimmed values sum to zero without all being zero.
        positive, negative: what these positions merge to with either sign.
        votes: entries elected positive minus entries elected negative.
        kept: entries of all task vectors that trimming left different from zero.
        conflicts: positions where kept values of both signs meet.
    """

    tau: Tensor
    undecided: Tensor
    positive: Tensor
    negative: Tensor
    votes: int
    kept: int
    conflicts: int

    def apply(self, base: Tensor, scale: float, majority: int) -> Tensor:
        """base + scale * tau, the undecided positions by the sign of `majority`; uses up `tau`."""
        self.tau[self.undecided] = self.positive if majority > 0 else self.negative
        merged = self.tau.mul_(scale).add_(base.reshape(-1))
        return merged.to(base.dtype).reshape(base.shape)


def elect(params: TiesParams, base: Tensor, experts: Sequence[Tensor], thresholds: Sequence[float]) -> Elected:
    """Elect signs and merge the values that carry them, block by block."""
    flat = base.reshape(-1)
    tau = torch.empty_like(flat, dtype=accumulator(base.dtype))
    undecided, positives, negatives = [], [], []
    votes, kept, conflicts = 0, 0, 0
    experts = [expert.reshape(-1) for expert in experts]
    for start in range(0, len(flat), BLOCK):
        block = slice(start, start + BLOCK)
        mass = torch.zeros_like(tau[block])
        positive, negative, n_positive, n_negative = (torch.zeros_like(mass) for _ in range(4))
        for expert, threshold in zip(experts, thresholds, strict=True):
            delta = _delta(expert[block], flat[block])
            delta.masked_fill_(delta.abs() < threshold, 0.0)
            mass += delta
            if params.merge_func == "max":
                torch.maximum(positive, delta, out=positive)
                torch.minimum(negative, delta, out=negative)
            else:
                positive += delta.clamp(min=0)
                negative += delta.clamp(max=0)
            n_positive += delta > 0
            n_negative += delta < 0
        if params.merge_func == "mean":
            positive /= n_positive.clamp(min=1)
            negative /= n_negative.clamp(min=1)
        tau[block] = torch.where(mass > 0, positive, negative)
        waits = ((mass == 0) & (n_positive > 0)).nonzero().squeeze(1)
        undecided.append(waits + start)
        positives.append(positive[waits])
        negatives.append(negative[waits])
        votes += int(mass.sign().sum())
        kept += int(n_positive.sum() + n_negative.sum())
        conflicts += int(torch.count_nonzero(n_positive * n_negative))
    return Elected(tau, torch.cat(undecided), torch.cat(positives), torch.cat(negatives), votes, kept, conflicts)


def _delta(expert: Tensor, base: Tensor) -> Tensor:
    """expert - base, flat, after both are widened: in bfloat16 the difference would lose most of its bits."""
    dtype = accumulator(base.dtype)
    return expert.reshape(-1).to(dtype) - base.reshape(-1).to(dtype)
