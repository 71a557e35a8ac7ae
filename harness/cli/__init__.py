"""The `bench` command: a shell over `harness.api`.  Every heavy import is inside the command that needs it."""

from __future__ import annotations

import sys

import typer

from harness.cli import claims, kernels, moving, nightly, report, running, showing, upkeep, writing
from harness.cli.options import BAD_INPUT, BUSY, FAILED, INTERRUPTED

app = typer.Typer(
    name="bench",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="Run methods written down as YAML specs on standard tasks, against baselines, and keep every metric.",
    epilog="Start with: bench run quickstart",
)
for room in (running, writing, showing, moving, nightly, claims, report):
    app.add_typer(room.app)
app.add_typer(kernels.app, name="kernels")
app.add_typer(upkeep.artefacts, name="artefacts")
app.add_typer(upkeep.registry, name="registry")

#: Faults of the user and their exit code; the text of each is one line per fault, with its place and remedy.
EXIT_CODES = {
    "BenchmarkFileError": BAD_INPUT,
    "CatalogueError": BAD_INPUT,
    "CommitError": BAD_INPUT,
    "DynamicImport": BAD_INPUT,
    "EngineError": FAILED,
    "NewerRecord": BAD_INPUT,
    "NoComparison": BAD_INPUT,
    "NoResults": BAD_INPUT,
    "NotAllowed": BAD_INPUT,
    "PlanError": BAD_INPUT,
    "RecordError": BAD_INPUT,
    "RegistryBusy": BUSY,
    "RegistryError": BAD_INPUT,
    "SpecErrors": BAD_INPUT,
    "TemplateError": BAD_INPUT,
    "UnknownKernel": BAD_INPUT,
}


def main() -> None:
    """Run the command line; the faults of users end in one line each and a documented exit code."""
    try:
        app()
    except Exception as error:
        code = EXIT_CODES.get(type(error).__name__)
        if code is None:
            raise
        typer.echo(str(error), err=True)
        sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
