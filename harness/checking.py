"""The contract tests on a file of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.catalog import CatalogueError, all_entries, find, load_catalogue
from harness.contract import checks_for
from harness.engines.loading import load_object
from harness.protocols.context import Skip


def check_file(file: Path) -> Iterator[tuple[str, str | None]]:
    """Run the contract tests on every component and task of a file: name of each test, and what is wrong or None.

    Raises:
        CatalogueError: the file cannot be read, or declares nothing.
    """
    catalogue = load_catalogue()
    if all(Path(entry["file"]) != file.resolve() for entry in all_entries(catalogue)):
        catalogue = load_catalogue([file])
    entries = [entry for entry in all_entries(catalogue) if Path(entry["file"]).resolve() == file.resolve()]
    if not entries:
        raise CatalogueError(f"{file}: declares no component and no task; decorate one with @component or @task")
    for entry in entries:
        for name, check in checks_for(load_object(entry), lambda key: load_object(find(catalogue, key))):
            try:
                check()
            except AssertionError as fault:
                yield f"{entry['key']}: {name}", str(fault)
            except Skip as reason:
                yield f"{entry['key']}: {name} (skipped: {reason})", None
            else:
                yield f"{entry['key']}: {name}", None
