"""Which kernels there are: one file in kernels/ each, holding an object `KERNEL`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernels.core.kernel import Kernel

FOLDER = Path(__file__).parent.parent


class UnknownKernel(Exception):
    """A kernel was asked for by a name that none has."""


def kernel_names() -> list[str]:
    """Names of all kernels, sorted; imports nothing."""
    return sorted(file.stem for file in FOLDER.glob("*.py") if file.stem not in ("__init__", "gpu_check"))


def load_kernel(name: str) -> Kernel:
    """The kernel of this name.

    Raises:
        UnknownKernel: there is none; the message names the nearest.
    """
    if name not in kernel_names():
        import difflib

        near = difflib.get_close_matches(name, kernel_names(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownKernel(f"there is no kernel {name!r}{hint} `bench kernels list` names them all")
    kernel: Kernel = importlib.import_module(f"kernels.{name}").KERNEL
    return kernel
