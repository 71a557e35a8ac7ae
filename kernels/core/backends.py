"""The names of backends and whether CUDA is simulated, for those who do not need torch yet."""

from __future__ import annotations

import os
from typing import Literal, get_args

Backend = Literal["auto", "reference", "cpu", "cuda"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
#: True where CUDA forms run in Numba's simulator, on CPU tensors.
SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")
