"""The catalogue: every component and task as plain data, found by scanning the folders.

`load_catalogue()` gives `{"components": {slot: {key: entry}}, "tasks": {key: entry}}`.  The shipped entries come
from a file built into the wheel, or from the user's cache; both carry the hash of the sources they were read from,
so an edited or added file is seen at once.  Plugins are read only when they are passed in, that is, allowed.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.declarations import DeclarationError, Entry, read_declarations

Catalogue = dict[str, Any]

HARNESS = Path(__file__).parent
SHIPPED = HARNESS / "catalogue.json"
FOLDERS = ("methods/init", "methods/optimizer", "methods/sampler", "methods/merger", "methods/objective", "tasks")
SLOTS = ("init", "optimizer", "sampler", "merger", "objective")
ENTRY_POINT_GROUP = "methodbench.components"


class CatalogueError(Exception):
    """Two entries of one name, an unreadable plugin, or an unknown name; one line that names place and remedy."""


def load_catalogue(plugins: Sequence[Path] = ()) -> Catalogue:
    """The shipped catalogue together with installed packages and the given plugin files.

    Raises:
        CatalogueError: a plugin cannot be read or takes a name that exists.
    """
    catalogue = _shipped()
    for file, module in _installed():
        _add_file(catalogue, file, module)
    for plugin in plugins:
        _add_file(catalogue, plugin, plugin_module(plugin))
    return catalogue


def scan() -> Catalogue:
    """Read all files of the project's folders, whatever a cache says."""
    catalogue: Catalogue = {"components": {slot: {} for slot in SLOTS}, "tasks": {}}
    for folder in FOLDERS:
        for file in _python_files(folder):
            _add_file(catalogue, file, f"harness.{folder.replace('/', '.')}.{file.stem}")
    return catalogue


def plugin_module(file: Path) -> str:
    """Module name of a plugin file: readable, and different for files of one name in two folders."""
    return f"methodbench_plugin_{file.stem}_{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]}"


def find(catalogue: Catalogue, name: str) -> Entry:
    """The component or task called `name`.

    Raises:
        CatalogueError: there is none; the nearest name is given.
    """
    entries = {entry["key"]: entry for entry in all_entries(catalogue)}
    if name in entries:
        return entries[name]
    close = difflib.get_close_matches(name, entries, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else "; see `bench list`"
    raise CatalogueError(f'there is no component or task called "{name}"{hint}')


def all_entries(catalogue: Catalogue) -> Iterable[Entry]:
    """Every entry: components slot by slot, then tasks, each in alphabetical order."""
    for slot in SLOTS:
        yield from (entry for _, entry in sorted(catalogue["components"][slot].items()))
    yield from (entry for _, entry in sorted(catalogue["tasks"].items()))


def source_hash() -> str:
    """Hash of the names and contents of all files that declare shipped components and of the reader itself."""
    digest = hashlib.sha256()
    for file in [HARNESS / "declarations.py", *(f for folder in FOLDERS for f in _python_files(folder))]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _shipped() -> Catalogue:
    expected = source_hash()
    for file in (SHIPPED, _cache_file()):
        try:
            stored = json.loads(file.read_bytes())
        except (OSError, ValueError):
            continue
        if stored.get("source") == expected:
            return _with_files(stored["catalogue"])
    catalogue = scan()
    _store(_cache_file(), {"source": expected, "catalogue": catalogue})
    return catalogue


def _with_files(catalogue: Catalogue) -> Catalogue:
    """Point `file` into this installation: a stored catalogue may come from the machine that built the wheel."""
    for entry in all_entries(catalogue):
        entry["file"] = str(HARNESS.joinpath(*entry["module"].split(".")[1:]).with_suffix(".py"))
    return catalogue


def _store(file: Path, content: dict[str, Any]) -> None:
    """Write the cache atomically; a read-only home costs speed, nothing else."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(content))
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)


def _cache_file() -> Path:
    from platformdirs import user_cache_path

    place = hashlib.sha256(str(HARNESS).encode()).hexdigest()[:12]
    return user_cache_path("methodbench") / f"catalogue-{place}.json"


def _python_files(folder: str) -> list[Path]:
    return sorted(file for file in (HARNESS / folder).glob("*.py") if file.name != "__init__.py")


def _installed() -> Iterable[tuple[Path, str]]:
    """Source files that installed packages register under the entry point group."""
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    for point in entry_points(group=ENTRY_POINT_GROUP):
        spec = find_spec(point.module)
        if spec is None or spec.origin is None:
            raise CatalogueError(f"installed plugin {point.name}: module {point.module} cannot be found")
        yield Path(spec.origin), point.module


def _add_file(catalogue: Catalogue, file: Path, module: str) -> None:
    try:
        entries = read_declarations(file, module)
    except DeclarationError as error:
        raise CatalogueError(str(error)) from None
    for entry in entries:
        is_task = entry["kind"] == "task"
        if not is_task and entry.get("slot") not in SLOTS:
            raise CatalogueError(f'{file}: slot "{entry.get("slot")}" is not one of {", ".join(SLOTS)}')
        shelf = catalogue["tasks"] if is_task else catalogue["components"][entry["slot"]]
        other = shelf.get(entry["key"])
        if other is not None:
            raise CatalogueError(f'{file}: "{entry["key"]}" is already registered by {other["file"]}')
        shelf[entry["key"]] = entry
