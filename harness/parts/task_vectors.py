"""What mergers and merge tasks share: which tensors are merged, what is copied, and task vectors (expert - base)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from harness.protocols.merger import StateDict

#: Entries elected at a time: the buffers of one block stay in the second-level cache.
BLOCK = 1 << 15


def check_same_tensors(experts: Sequence[StateDict], base: StateDict | None = None) -> None:
    """Check that all experts (and the base) hold the same names and shapes.

    Raises:
        ValueError: no expert at all, or the first name or shape that differs, with its expert.
    """
    if not experts:
        raise ValueError("nothing to merge: the list of experts is empty")
    reference, origin = (experts[0], "expert 0") if base is None else (base, "the base")
    for k, expert in enumerate(experts):
        if missing := sorted(reference.keys() - expert.keys()):
            raise ValueError(f"expert {k} lacks {missing[0]!r}, which {origin} has")
        if extra := sorted(expert.keys() - reference.keys()):
            raise ValueError(f"expert {k} has {extra[0]!r}, which {origin} lacks")
        for name in sorted(reference):
            if expert[name].shape != reference[name].shape:
                shapes = f"{tuple(expert[name].shape)} against {tuple(reference[name].shape)}"
                raise ValueError(f"{name!r} of expert {k} has another shape than in {origin}: {shapes}")


def weight_names(state: StateDict, statistics: Iterable[str] = ()) -> list[str]:
    """Sorted names of the float tensors that are weights, not statistics."""
    return sorted(name for name in state.keys() - set(statistics) if state[name].is_floating_point())


def statistics_of(model: nn.Module) -> frozenset[str]:
    """Names of the float buffers of a model: running means and variances."""
    persistent = model.state_dict().keys()
    return frozenset(name for name, b in model.named_buffers() if b.is_floating_point() and name in persistent)


def accumulator(dtype: torch.dtype) -> torch.dtype:
    """The dtype sums of `dtype` accumulate in: float32 or wider."""
    return torch.promote_types(dtype, torch.float32)


def combine(tensors: Sequence[Tensor], weights: Sequence[float] | None = None, normalize: bool = True) -> Tensor:
    """sum_k w_k x_k, divided by sum_k w_k when `normalize`; equal weights where none are given.

    Sums run in float64, so equal-weight means of identical tensors come back bit for bit.

    Args:
        tensors: K tensors of one shape; not modified.
        weights: K numbers of any sign.
        normalize: divide by the sum of the weights.

    Returns:
        float64 tensor of the same shape.

    Raises:
        ValueError: not one weight per tensor, or a sum of weights that is (almost) nothing.
    """
    weights = [1.0] * len(tensors) if weights is None else weights
    if len(weights) != len(tensors):
        raise ValueError(f"{len(weights)} weights for {len(tensors)} experts: give one per expert")
    total = torch.zeros_like(tensors[0], dtype=torch.float64)
    for tensor, weight in zip(tensors, weights, strict=True):
        total.add_(tensor, alpha=weight)
    if not normalize:
        return total
    if abs(sum(weights)) <= 1e-9 * sum(map(abs, weights)):
        raise ValueError(f"the weights of the experts sum to {sum(weights):g}: they cannot be normalised")
    return total.div_(sum(weights))


def carried_over(
    experts: Sequence[StateDict], statistics: Iterable[str], weights: Sequence[float] | None = None
) -> dict[str, Tensor]:
    """What no merger touches: statistics averaged over the experts, integer and boolean buffers copied.

    The base is not asked: fine-tuning moved its counters on.

    Raises:
        ValueError: an integer or boolean buffer on which the experts disagree.
    """
    statistics, first = set(statistics), experts[0]
    carried: dict[str, Tensor] = {}
    for name in sorted(first):
        tensors = [expert[name] for expert in experts]
        if name in statistics:
            carried[name] = combine(tensors, weights).to(first[name].dtype)
        elif not first[name].is_floating_point():
            for k, tensor in enumerate(tensors):
                if not torch.equal(tensor, first[name]):
                    kind = str(tensor.dtype).removeprefix("torch.")
                    raise ValueError(
                        f"{name!r} ({kind}) differs between expert 0 and expert {k}: only float tensors can be merged, "
                        "make it equal or leave it out"
                    )
            carried[name] = first[name].clone()
    return carried


def task_vector(expert: Tensor, base: Tensor) -> Tensor:
    """expert - base, flat, after both are widened: in bfloat16 the difference would lose most of its bits."""
    dtype = accumulator(base.dtype)
    return expert.reshape(-1).to(dtype) - base.reshape(-1).to(dtype)


@dataclass(frozen=True)
class Elected:
    """One tensor's merged task vector; the entries that cancel exactly wait for the majority of all tensors.

    Args:
        tau: merged task vector, flat.
        undecided: positions whose values sum to zero without all being zero.
        positive, negative: what these positions merge to with either sign.
        votes: entries elected positive minus entries elected negative.
        kept: entries of all task vectors that are not zero.
        conflicts: positions where values of both signs meet.
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


def elect(
    task_vectors: Callable[[slice], Iterable[Tensor]],
    base: Tensor,
    merge_func: Literal["mean", "sum", "max"] = "mean",
    block_size: int = BLOCK,
) -> Elected:
    """Elect the sign of each entry and merge the values that carry it, block by block (TIES, arXiv:2306.01708, alg. 1).

    Args:
        task_vectors: positions -> these entries of each expert's flat task vector, already trimmed or dropped, in the
            accumulator's dtype; read once for each block.
        base: the tensor they belong to, for its size and dtype.
        merge_func: what becomes of the values with the elected sign.
        block_size: entries elected at a time.
    """
    tau = torch.empty(base.numel(), dtype=accumulator(base.dtype), device=base.device)
    undecided, positives, negatives = [], [], []
    votes, kept, conflicts = 0, 0, 0
    for start in range(0, len(tau), block_size):
        block = slice(start, start + block_size)
        mass = torch.zeros_like(tau[block])
        positive, negative, n_positive, n_negative = (torch.zeros_like(mass) for _ in range(4))
        for delta in task_vectors(block):
            mass += delta
            if merge_func == "max":
                torch.maximum(positive, delta, out=positive)
                torch.minimum(negative, delta, out=negative)
            else:
                positive += delta.clamp(min=0)
                negative += delta.clamp(max=0)
            n_positive += delta > 0
            n_negative += delta < 0
        if merge_func == "mean":
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
