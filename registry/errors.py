"""What the registry raises: every message is one line that names the place and the remedy."""

from __future__ import annotations


class RegistryError(Exception):
    """The registry cannot do what was asked."""


class RegistryBusy(RegistryError):
    """Another process holds the index and did not release it in time."""


class DamagedIndex(RegistryError):
    """DuckDB cannot read the index; it can be made anew from the lake."""


class RecordError(RegistryError):
    """A record has not the shape that the registry stores."""


class NewerRecord(RecordError):
    """A record was written by a newer methodbench than this one."""


def one_line(error: BaseException, limit: int = 300) -> str:
    """The first line of an error's text that says something, shortened to `limit` characters."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)[:limit]
