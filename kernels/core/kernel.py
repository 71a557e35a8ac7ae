"""A kernel: one computation in three forms behind one call.

`reference` is torch, for any device and dtype; `cpu` is Numba over contiguous CPU tensors; `cuda` is Numba CUDA on
torch's current stream.  Which one answers is decided per call by `choose`, and `use_backend` notes what ran.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor

Backend = Literal["auto", "reference", "cpu", "cuda"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
#: True where CUDA forms run in Numba's simulator, on CPU tensors.
SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


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


@functools.cache
def cuda_works() -> bool:
    """Whether Numba can run CUDA code here."""
    from numba import cuda

    return SIMULATED or bool(cuda.is_available())


@dataclass(frozen=True)
class Kernel:
    """Three forms of one computation; all take the same keyword arguments, tensors and Python numbers.

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
    _warm: set[tuple[str, torch.dtype]] = field(default_factory=set, repr=False, compare=False)

    def __call__(self, **arguments: Any) -> Any:
        """Run the form that the preference and the arguments choose.

        Raises:
            BackendError: the preferred backend cannot take these arguments.
        """
        preference = _preference.get() or _Preference("auto", contextlib.nullcontext)
        backend, leading = self.choose(preference.backend, arguments)
        preference.ran[self.name] = backend
        if backend == "reference":
            return self.reference(**arguments)
        if (backend, leading.dtype) not in self._warm:
            with preference.pause():
                self.warm_up(backend, leading)
        return self.run(backend, arguments)

    def choose(self, asked: Backend, arguments: Mapping[str, Any]) -> tuple[str, Tensor]:
        """The backend for these arguments, and the tensor whose device and dtype decided."""
        leading = next(value for value in arguments.values() if isinstance(value, Tensor))
        native = "cuda" if leading.is_cuda or (SIMULATED and asked == "cuda") else "cpu"
        takes = leading.dtype in self.dtypes and (native == "cpu" or cuda_works())
        if asked == "reference" or (asked == "auto" and not takes):
            return "reference", leading
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
        moved = {k: v.to(leading.device) if isinstance(v, Tensor) else v for k, v in example.items()}
        self.run(backend, moved)
        self._warm.add((backend, leading.dtype))

    def run(self, backend: str, arguments: Mapping[str, Any]) -> Any:
        """Run one compiled form; tensors that are not contiguous are copied, and copied back where written to."""
        form = self.cpu if backend == "cpu" else self.cuda
        odd = {k: v for k, v in arguments.items() if isinstance(v, Tensor) and not v.is_contiguous()}
        if not odd:
            return form(**arguments)
        copies = {k: v.contiguous() for k, v in odd.items()}
        result = form(**{**arguments, **copies})
        for name in self.writes:
            if name in odd:
                odd[name].copy_(copies[name])
        return result
