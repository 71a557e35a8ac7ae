"""Where unreadable things are kept, each beside a text file with the reason."""

from __future__ import annotations

from pathlib import Path

from registry.folder import Folder


def keep_bytes(folder: Folder, name: str, data: bytes, reason: str) -> Path:
    """Keep a copy of `data` under quarantine/`name`; the same name again replaces it."""
    target = _place(folder, name, reason)
    target.write_bytes(data)
    return target


def move_file(folder: Folder, path: Path, reason: str) -> Path:
    """Move a file under quarantine/, so that nothing meets it again."""
    target = _place(folder, path.name, reason)
    path.replace(target)
    return target


def _place(folder: Folder, name: str, reason: str) -> Path:
    folder.quarantine.mkdir(parents=True, exist_ok=True)
    (folder.quarantine / f"{name}.reason.txt").write_text(reason + "\n")
    return folder.quarantine / name
