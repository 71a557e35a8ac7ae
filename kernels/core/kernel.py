"""A kernel: one computation in three forms behind one call.

`reference` is torch, for any device and dtype; `cpu` is Numba over contiguous CPU tensors; `cuda` is Numba CUDA on
torch's current stream.  Which one answers is decided call by call, and `use_backend` notes what ran.  Only
the reference can be differentiated through.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from kernels.core.backends import BACKENDS, Backend
from kernels.core.backends import SIMULATED as SIMULATED

# Large tensors in huge pages: in small ones the first write to a large result may take longer than computing it.
# Torch reads this when it first allocates.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


class BackendError(Exception):
    """A backend was asked for by name and cannot take these arguments here."""


@dataclass
class _Preference:
    backend: Backend
    pause: Callable[[], AbstractContextManager[None]]
    ran: dict[str, str] = field(default_factory=dict)


_preference: ContextVar[_Preference | None] = ContextVar("preference", default=None)


@contextmanager
def use_backend(
    backend: Backend, pause: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
) -> Iterator[dict[str, str]]:
    """Answer the kernel calls in this context by `backend`; gives {kernel: backend that ran}, filled as they run.

    Args:
        backend: "auto" takes the compiled form where there is one for the arguments.
        pause: a context in which clocks stand still; kernels compile inside it.

    Raises:
        BackendError: there is no such backend.
    """
    if backend not in BACKENDS:
        raise BackendError(f"backend {backend!r} is not one of {', '.join(BACKENDS)}")
    preference = _Preference(backend, pause)
    token = _preference.set(preference)
    try:
        yield preference.ran
    finally:
        _preference.reset(token)


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors of an argument: itself, those of a list or tuple (which may be nested), or none."""
    if isinstance(value, Tensor):
        return [value]
    found = list[Tensor]()
    if isinstance(value, (tuple, list)):
        for part in value:
            if isinstance(part, Tensor):
                found.append(part)
            elif isinstance(part, (tuple, list)):
                found += tensors_in(part)
    return found


def mapped(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """An argument with each of its tensors sent through a function."""
    if isinstance(value, Tensor):
        return function(value)
    return type(value)(mapped(function, v) for v in value) if isinstance(value, tuple | list) else value


@dataclass(frozen=True)
class Kernel:
    """Three forms of one computation; all take the same keyword arguments: tensors, lists of them, numbers.

    Args:
        name: its file's name in kernels/.
        reference, cpu, cuda: the forms.  The compiled ones see contiguous tensors only.
        example: (n, dtype, generator) -> arguments of about n elements, for checks, warm-up and measurements.
        dtypes: dtypes of the leading tensor that the compiled forms take; others go to the reference.
        writes: names of the tensors a call writes to.
        bytes_moved: arguments -> bytes that must be read and written at least once, results included.
        bound: what limits the CPU form on large inputs: "memory", or the operation that does.
        tolerance: largest error of the compiled forms relative to the largest magnitude of the result, in units of
            the dtype's epsilon.
        hostile: whether NaN and inf in the floating inputs must come out as in the reference.
        sizes: numbers of elements that measurements take: in the first cache, in the last one, in memory.
    """

    name: str
    reference: Callable[..., Any]
    cpu: Callable[..., Any]
    cuda: Callable[..., Any]
    example: Callable[[int, torch.dtype, torch.Generator], dict[str, Any]]
    bytes_moved: Callable[[Mapping[str, Any]], int]
    bound: str = "memory"
    dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.float64)
    writes: tuple[str, ...] = ()
    tolerance: float = 4.0
    hostile: bool = True
    sizes: tuple[int, ...] = (10_000, 1_000_000, 10_000_000)
    _warm: set[tuple[str, torch.dtype]] = field(default_factory=set, repr=False, compare=False)

    def __call__(self, **arguments: Any) -> Any:
        """Run the form that the preference and the arguments choose.

        Raises:
            BackendError: the preferred backend cannot take these arguments.
        """
        preference = _preference.get() or _Preference("auto", contextlib.nullcontext)
        tensors = tensors_in(list(arguments.values()))
        backend, leading = self._choose(preference.backend, tensors)
        preference.ran[self.name] = backend
        if backend == "reference":
            return self.reference(**arguments)
        if (backend, leading.dtype) not in self._warm:
            with preference.pause():
                self.warm_up(backend, leading)
        return self._run(backend, arguments, tensors)

    def _choose(self, asked: Backend, tensors: list[Tensor]) -> tuple[str, Tensor]:
        """The backend for these tensors, and the one whose device and dtype decided."""
        leading = tensors[0]
        native = "cuda" if leading.is_cuda or (SIMULATED and asked == "cuda") else "cpu"
        takes = leading.dtype in self.dtypes
        recorded = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
        if asked == "reference" or (asked == "auto" and (recorded or not takes)):
            return "reference", leading
        if recorded:
            raise BackendError(f"kernel {self.name}: backend {asked} computes no gradients; use auto or reference")
        if asked not in ("auto", native):
            raise BackendError(f"kernel {self.name}: backend {asked} cannot take tensors on {leading.device}")
        if not takes:
            known = ", ".join(str(dtype).removeprefix("torch.") for dtype in self.dtypes)
            raise BackendError(
                f"kernel {self.name}: backend {asked} cannot take {leading.dtype} here; it takes {known}"
            )
        return native, leading

    def warm_up(self, backend: str, leading: Tensor) -> None:
        """Compile the form of `backend` for the dtype of `leading`, or load it from the cache, on a tiny example."""
        example = self.example(8, leading.dtype, torch.Generator().manual_seed(0))
        moved = {k: mapped(lambda t: t.to(leading.device), v) for k, v in example.items()}
        self.run(backend, moved)
        self._warm.add((backend, leading.dtype))

    def run(self, backend: str, arguments: Mapping[str, Any]) -> Any:
        """Run one compiled form; tensors that are not contiguous are copied, and copied back where written to."""
        return self._run(backend, arguments, tensors_in(list(arguments.values())))

    def _run(self, backend: str, arguments: Mapping[str, Any], tensors: list[Tensor]) -> Any:
        form = self.cpu if backend == "cpu" else self.cuda
        if all(tensor.is_contiguous() for tensor in tensors):
            return form(**arguments)
        odd = {k: v for k, v in arguments.items() if any(not t.is_contiguous() for t in tensors_in(v))}
        copies = {k: mapped(Tensor.contiguous, v) for k, v in odd.items()}
        result = form(**{**arguments, **copies})
        for name in self.writes:
            if name in odd:
                odd[name].copy_(copies[name])
        return result
