"""DARE: Yu et al., "Language Models are Super Mario: Absorbing Abilities from Homologous Models as a Free Lunch",
ICML 2024, arXiv:2311.03099, section 3.2.

Drop and rescale each task vector t_k = theta_k - theta_0:  m_k ~ Bernoulli(p) entry by entry,
t_k <- (1 - m_k) * t_k / (1 - p);  then merge what is left: theta* = theta_0 + lambda * sum_k t_k ("linear"), or the
mean of the values with the elected sign ("ties", as in arXiv:2306.01708).

Dividing by 1 - p keeps the mean of each entry and makes its variance t^2 p / (1 - p).  Variants: `rescale: l1` is
what mergekit does, each tensor is multiplied by ||t||_1 / ||(1 - m) t||_1, equal to the paper's factor on average
only; `rescale: none` is the paper's ablation.  With "ties" the signs are elected among all that dropping left; the
paper's code also trims to the largest 20 % of the entries, which keeps everything where p is above 0.8.

The mask of an expert and tensor has a stream of its own, (position of the expert, name of the tensor), so neither the
other experts nor the order of the tensors moves it, and the entries kept at a higher p are among those at a lower one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from harness.parts.task_vectors import (
    carried_over,
    check_same_tensors,
    combine,
    elect,
    task_vector,
    weight_names,
)
from harness.protocols.component import Params, component, param
from harness.protocols.context import TrialContext
from harness.protocols.merger import MergeContext, MergeResult, StateDict


class DareParams(Params):
    drop_rate: float = param(0.9, ge=0, lt=1, help="probability that an entry of a task vector is dropped")
    rescale: Literal["paper", "l1", "none"] = param("paper", help="divide by 1 - drop_rate, keep the L1 norm, or not")
    merge: Literal["linear", "ties"] = param("linear", help="sum what is left, or average it by elected sign")
    lambda_: float = param(1.0, ge=0, help="scale of the merged task vector")


@component(
    slot="merger",
    key="dare",
    protocol="state-dict",
    version=1,
    paper="arXiv:2311.03099",
    params=DareParams,
    flags=("needs_base", "ordered"),
)
def dare(params: DareParams, base: StateDict | None, experts: Sequence[StateDict], ctx: MergeContext) -> MergeResult:
    """Merge task vectors after dropping most of their entries at random; experts count equally, as in the paper."""
    if base is None:
        raise ValueError("dare needs the base that the experts were fine-tuned from")
    check_same_tensors(experts, base)
    names = [name for name in weight_names(base, ctx.statistics) if base[name].numel()]
    dropped = {
        name: [drop(params, task_vector(e[name], base[name]), k, name, ctx.trial) for k, e in enumerate(experts)]
        for name in names
    }
    state = carried_over(experts, ctx.statistics)
    state |= {name: base[name].clone() for name in weight_names(base, ctx.statistics) if not base[name].numel()}
    state |= (by_sign if params.merge == "ties" else by_sum)(dropped, base, params.lambda_)
    size = max(1, len(experts) * sum(base[name].numel() for name in names))
    return MergeResult(state, {"kept": sum(int(torch.count_nonzero(t)) for v in dropped.values() for t in v) / size})


def drop(params: DareParams, delta: Tensor, expert: int, name: str, trial: TrialContext) -> Tensor:
    """Set entries of one flat task vector to zero at random and rescale the others."""
    uniform = torch.rand(delta.shape, generator=trial.rng("dare", expert, name), dtype=torch.float64).to(delta.device)
    kept = delta.masked_fill(uniform < params.drop_rate, 0.0)
    if params.rescale == "paper":
        kept /= 1 - params.drop_rate
    elif params.rescale == "l1" and (norm := float(kept.abs().sum(dtype=torch.float64))) > 0:
        kept *= float(delta.abs().sum(dtype=torch.float64)) / norm
    return kept


def by_sum(dropped: dict[str, list[Tensor]], base: StateDict, scale: float) -> dict[str, Tensor]:
    """theta_0 + scale * sum_k t_k."""
    merged = {}
    for name, deltas in dropped.items():
        tau = combine(deltas, normalize=False).reshape(base[name].shape)
        merged[name] = tau.mul_(scale).add_(base[name]).to(base[name].dtype)
    return merged


def by_sign(dropped: dict[str, list[Tensor]], base: StateDict, scale: float) -> dict[str, Tensor]:
    """theta_0 + scale * mean of the values with the elected sign; exact draws take the sign of most entries."""
    elected = {name: elect(partial(_entries, deltas), base[name]) for name, deltas in dropped.items()}
    majority = sum(result.votes for result in elected.values())
    return {name: result.apply(base[name], scale, majority) for name, result in elected.items()}


def _entries(deltas: Sequence[Tensor], block: slice) -> list[Tensor]:
    return [delta[block] for delta in deltas]
