"""The names of backends, for those who do not need torch yet."""

from __future__ import annotations

from typing import Literal, get_args

Backend = Literal["auto", "reference", "cpu", "cuda"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
