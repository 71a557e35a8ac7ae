"""`bench report`: the static site of what the registry holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import RegistryPath, open_results

app = typer.Typer(rich_markup_mode=None)


@app.command(epilog="Examples: bench report · bench report quickstart --out quickstart-site")
def report(
    specs: Annotated[list[str] | None, typer.Argument(help="Names of specs that ran; by default all.")] = None,
    out: Annotated[Path, typer.Option(help="Folder to write; a site that is there is replaced.")] = Path("site"),
    registry: RegistryPath = None,
) -> None:
    """Write the results as a static site that opens without a server and without a network."""
    from reports.site import write_site

    done = write_site(open_results(registry), out, specs or [])
    typer.echo(f"{done.files} files, {done.bytes / 2**20:.1f} MiB; open {done.index}")
