"""The k-th smallest magnitude of theta_k - theta_0 for K experts: the threshold of TIES' trimming (arXiv:2306.01708).

out[k] = the rank-th smallest of |experts[k][p][i] - base[p][i]| over all pieces p and entries i, rank counting from 1:
what torch.kthvalue gives on the concatenated differences, to the bit.  Differences are computed in the dtype of the
pieces (float32 for half precision).

base is a list of P tensors, experts a list of K such lists, piece by piece of the same shape; one dtype for all pieces.
Returns the thresholds (K,) in the dtype of the differences and, int64 (K,), how many differences are not finite.  As in
torch.kthvalue, NaN counts as larger than inf.

The CPU form writes the magnitudes of one expert at a time to one vector and lets numpy partition it, whose own vector
code selects faster than counting digits would.  CUDA selects by radix: without its sign bit, the bit pattern of a
number orders like its magnitude, and a pass counts one digit, of 11 bits, which shared memory holds, of the patterns
whose higher digits are those found so far, for all experts at once; tiles of the base stay in the cache while the
experts pass.  Counts are integers, so the result does not depend on any order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numba import cuda, types
from torch import Tensor

from kernels.core.addresses import addresses_cuda, alike, both_intrinsic, element_cuda
from kernels.core.compile import NUMPY, array, njit
from kernels.core.cuda import THREADS, cuda_kernel, grid
from kernels.core.kernel import SIMULATED, Kernel

#: Bits of a digit.
CUDA_DIGIT = 4 if SIMULATED else 11
BINS = 1 << CUDA_DIGIT
#: Entries of a tile that one block of threads counts for each expert.
TILE = THREADS * 64


def reference(base: Sequence[Tensor], experts: Sequence[Sequence[Tensor]], *, rank: int) -> tuple[Tensor, Tensor]:
    """Thresholds and counts of what is not finite, from a vector of all differences of one expert at a time."""
    dtype = torch.float32
    for piece in base:
        dtype = torch.promote_types(dtype, piece.dtype)
    thresholds, odd = [], []
    for expert in experts:
        pairs = zip(expert, base, strict=True)
        magnitudes = torch.cat([_difference(e, b).abs().reshape(-1).to(dtype) for e, b in pairs])
        thresholds.append(magnitudes.kthvalue(rank).values)
        odd.append(torch.count_nonzero(~magnitudes.isfinite()))
    return torch.stack(thresholds), torch.stack(odd)


def _difference(expert: Tensor, base: Tensor) -> Tensor:
    wide = torch.promote_types(base.dtype, torch.float32)
    return expert.to(wide) - base.to(wide)


def cpu(base: Sequence[Tensor], experts: Sequence[Sequence[Tensor]], *, rank: int) -> tuple[Tensor, Tensor]:
    """numpy's selection in one vector of magnitudes, expert after expert."""
    if any(piece.dtype != base[0].dtype for piece in base):
        return reference(base, experts, rank=rank)
    total = _entries(base, rank)
    magnitudes = np.empty(total, NUMPY[base[0].dtype])
    thresholds, odd = base[0].new_empty(len(experts)), torch.zeros(len(experts), dtype=torch.int64)
    for k, expert in enumerate(experts):
        begin = 0
        for piece, other in zip(base, expert, strict=True):
            part = magnitudes[begin : begin + piece.numel()]
            odd[k] += _cpu(array(piece.contiguous()), array(alike(piece, [other])[0]), part)
            begin += piece.numel()
        magnitudes.partition(rank - 1)
        thresholds[k] = float(magnitudes[rank - 1])
    return thresholds, odd


def _entries(base: Sequence[Tensor], rank: int) -> int:
    total = sum(piece.numel() for piece in base)
    if not 1 <= rank <= total:
        raise ValueError(f"rank {rank} of {total} entries")
    return total


@njit
def _cpu(base, expert, magnitudes):
    """Writes |expert - base|; gives how many of them are not finite."""
    odd = 0
    for i in range(base.size):
        magnitude = abs(expert[i] - base[i])
        magnitudes[i] = magnitude
        odd += not magnitude < np.inf
    return odd


def cuda_form(base: Sequence[Tensor], experts: Sequence[Sequence[Tensor]], *, rank: int) -> tuple[Tensor, Tensor]:
    """One pass for each digit, highest first; a digit is where the counts reach what is left of the rank."""
    if any(piece.dtype != base[0].dtype for piece in base):
        return reference(base, experts, rank=rank)
    _entries(base, rank)
    device, dtype = base[0].device, base[0].dtype
    pieces = [(piece, alike(piece, [expert[p] for expert in experts])) for p, piece in enumerate(base) if piece.numel()]
    found = torch.zeros(len(experts), dtype=torch.int64, device=device)
    left, odd = torch.full_like(found, rank), torch.zeros_like(found)
    above = torch.finfo(dtype).bits - 1
    while above:
        shift = max(0, above - CUDA_DIGIT)
        counts = torch.zeros(len(experts), BINS, dtype=torch.int64, device=device)
        for piece, those in pieces:
            _count(piece, those, found, odd, counts, above, shift)
        reached = counts.cumsum(1)
        bins = (reached < left[:, None]).sum(1, keepdim=True)
        left = left - (reached - counts).gather(1, bins)[:, 0]
        found, above = (found << (above - shift)) | bins[:, 0], shift
    return found.to(torch.int32 if dtype == torch.float32 else torch.int64).view(dtype), odd


def _count(
    base: Tensor, experts: Sequence[Tensor], found: Tensor, odd: Tensor, counts: Tensor, above: int, shift: int
) -> None:
    table, blocks = addresses_cuda(experts), grid(base.numel(), TILE // THREADS)
    _cuda.launch(blocks, table, base.reshape(-1), found, odd, counts, above, shift, *_special(base, above))


def _special(base: Tensor, above: int) -> tuple[bool, int]:
    """Whether this is the first pass, which counts what is not finite, and the bits of inf; those of NaN are larger."""
    bits = torch.finfo(base.dtype).bits
    return above == bits - 1, 0x7F80_0000 if bits == 32 else 0x7FF0_0000_0000_0000


def _magnitude(typingctx, value):
    """The bits of a float without its sign, as int64."""

    def code(context, builder, signature, given):
        width = value.bitwidth
        integer = context.get_value_type(getattr(types, f"int{width}"))
        bits = builder.and_(builder.bitcast(given[0], integer), integer((1 << (width - 1)) - 1))
        return builder.zext(bits, context.get_value_type(types.int64)) if width < 64 else bits

    return types.int64(value), code


def _simulated(value):
    return int(np.abs(value).view(np.int32 if value.itemsize == 4 else np.int64))


_, magnitude_cuda = both_intrinsic(_magnitude, _simulated)


@cuda_kernel("int64[::1], real[::1], int64[::1], int64[::1], int64[:,::1], int64, int64, boolean, int64")
def _cuda(table, base, found, odd, counts, above, shift, first, least):
    bins = cuda.shared.array(BINS, np.int32)
    lane, mask = cuda.threadIdx.x, (1 << (above - shift)) - 1
    for start in range(cuda.blockIdx.x * TILE, base.size, cuda.gridDim.x * TILE):
        stop = min(start + TILE, base.size)
        for k in range(table.size):
            for b in range(lane, BINS, THREADS):
                bins[b] = 0
            cuda.syncthreads()
            for i in range(start + lane, stop, THREADS):
                bits = magnitude_cuda(element_cuda(table[k], i, base) - base[i])
                if first and bits >= least:
                    cuda.atomic.add(odd, k, 1)
                if (bits >> above) == found[k]:
                    cuda.atomic.add(bins, (bits >> shift) & mask, 1)
            cuda.syncthreads()
            for b in range(lane, BINS, THREADS):
                if bins[b] > 0:
                    cuda.atomic.add(counts, (k, b), bins[b])
            cuda.syncthreads()


def example(n: int, dtype: torch.dtype, generator: torch.Generator) -> dict[str, Any]:
    base, *experts = torch.randn(9, n, dtype=dtype, generator=generator).unbind()
    return {"base": [base], "experts": [[expert] for expert in experts], "rank": n - int(0.2 * n)}


def bytes_moved(arguments: Mapping[str, Any]) -> int:
    """One pass; the number of passes is the method's own."""
    size: int = sum(piece.numel() * piece.element_size() for piece in arguments["base"])
    return (len(arguments["experts"]) + 1) * size


KERNEL = magnitude_threshold = Kernel(
    name="magnitude_threshold",
    reference=reference,
    cpu=cpu,
    cuda=cuda_form,
    example=example,
    bytes_moved=bytes_moved,
    bound="selection",
    tolerance=0.0,  # a selection, not a computation
)
