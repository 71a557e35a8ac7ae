"""The `bench` command: a shell over `harness.api`.  Every heavy import is inside the command that needs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from registry import Registry

app = typer.Typer(
    name="bench",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="Run methods written down as YAML specs on standard tasks, against baselines, and keep every metric.",
    epilog="Start with: bench run quickstart",
)
registry_app = typer.Typer(help="Look after the registry.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(registry_app, name="registry")

#: Faults of the user and their exit code; the text of each is one line per fault, with its place and remedy.
BAD_INPUT, FAILED, BUSY, INTERRUPTED = 2, 1, 3, 130
EXIT_CODES = {
    "CatalogueError": BAD_INPUT,
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
}



def _complete_spec(incomplete: str) -> list[str]:
    """Names of shipped specs and spec files here, for shell completion."""
    from specs import library_names

    names = [*library_names(), *(path.name for path in Path().glob("*.yaml"))]
    return [name for name in names if name.startswith(incomplete)]


def _complete_name(incomplete: str) -> list[str]:
    """Names of components, tasks and shipped specs, for shell completion."""
    from harness.catalog import all_entries, load_catalogue

    names = [*_complete_spec(incomplete), *(entry["key"] for entry in all_entries(load_catalogue()))]
    return [name for name in names if name.startswith(incomplete)]


Spec = Annotated[
    str,
    typer.Argument(
        help="A spec file, or the name of a shipped spec (`bench list specs`).", autocompletion=_complete_spec
    ),
]
RegistryPath = Annotated[Path | None, typer.Option("--registry", help="Registry folder; by default the project's.")]
AllowPlugins = Annotated[bool, typer.Option("--allow-plugins", help="Run the spec's own Python files.")]
Plugins = Annotated[list[Path] | None, typer.Option("--plugin", help="Also read this component or task file.")]


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


@app.command(
    epilog="Examples: bench run quickstart · bench run my.yaml -j 4 · bench run my.yaml --only adamw --dry-run"
)
def run(
    spec: Spec,
    workers: Annotated[
        int | None, typer.Option("-j", "--jobs", min=1, help="Parallel trials; by default one per core.")
    ] = None,
    only: Annotated[str | None, typer.Option(help="Only pairs whose `method@task` contains this text.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many trials of the plan.")] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="One seed and a tiny budget: does everything run?")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the matrix, what is cached, and the time; run nothing.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run trials again that ended in an error.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Run every trial again.")] = False,
    exclusive: Annotated[
        bool, typer.Option("--exclusive", help="One trial at a time, so that seconds can be compared.")
    ] = False,
    timeout: Annotated[float | None, typer.Option(min=0.001, help="Seconds a trial may take.")] = None,
    memory: Annotated[float | None, typer.Option(min=1, help="MiB a worker may use.")] = None,
    durability: Annotated[
        Literal["batch", "trial"], typer.Option(help="Sync the log in batches, or after each trial.")
    ] = "batch",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for machines.")] = False,
    allow_plugins: AllowPlugins = False,
    registry: RegistryPath = None,
) -> None:
    """Run a spec: every method on every task that judges it, then the leaderboards.

    What the registry already answers is not run again.  Exits with 1 when a trial ended in error, timeout,
    out-of-memory, killed or lost.
    """
    from harness import api
    from harness.progress import closing, emit, headline, progress_for

    options = api.RunOptions(
        workers, exclusive, force, retry_failed, timeout, int(memory * 2**20) if memory else None, durability
    )
    plan = api.plan(spec, only, limit, smoke, allow_plugins)
    store = api.open_registry(registry)
    store.sync(wait=False)
    known = api.cached(plan, store, options)
    new = [trial for trial in plan.trials.values() if trial.id not in known]
    seconds, count = sum(trial.seconds for trial in new), options.worker_count(len(new))
    if as_json:
        emit(
            "plan",
            spec=plan.spec.name,
            trials=len(plan.trials),
            cached=len(known),
            new=len(new),
            seconds=seconds / count,
        )
    else:
        typer.echo(headline(plan, len(known), seconds, count), err=not dry_run)
    if dry_run:
        _echo_matrix(plan, known)
        return
    with progress_for(plan, len(new), as_json) as progress:
        summary = api.run(plan, store, options, progress)
    if as_json:
        emit(
            "done",
            run=summary.run,
            statuses=dict(summary.statuses),
            seconds=summary.seconds,
            registry=str(store.folder.root),
        )
    else:
        typer.echo(closing(summary), err=True)
        if not summary.interrupted and not smoke:
            typer.echo(_leaderboards(store, [plan.spec.name], "terminal"))
        _echo_next(spec, plan, store, summary.failed)
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)
    if summary.failed:
        raise typer.Exit(FAILED)


@app.command(epilog="Examples: bench validate my.yaml · bench validate my_method.py")
def validate(
    file: Annotated[str, typer.Argument(help="A spec (file or name), or a Python file with a method or task.")],
    allow_plugins: AllowPlugins = False,
) -> None:
    """Check a spec, or run the contract tests on a method or task file of your own."""
    from harness import api

    if file.endswith(".py"):
        failed = False
        for name, fault in api.check_file(Path(file)):
            failed |= fault is not None
            typer.echo(f"ok      {name}" if fault is None else f"FAILED  {name}: {fault}")
        if failed:
            raise typer.Exit(FAILED)
        return
    spec, _ = api.load(file, allow_plugins)
    typer.echo(f"{spec.path}: {len(spec.methods)} methods, {len(spec.tasks)} tasks, {len(spec.seeds)} seeds: valid")


@app.command(epilog="Examples: bench new method my-optimizer --slot optimizer · bench new spec comparison")
def new(
    kind: Annotated[str, typer.Argument(help="spec, method or task.")],
    name: Annotated[str, typer.Argument(help="Name in kebab-case.")],
    slot: Annotated[
        str, typer.Option(help="For a method: init, optimizer, sampler, merger or objective.")
    ] = "optimizer",
    folder: Annotated[Path, typer.Option(help="Where to write the file.")] = Path(),
) -> None:
    """Write a spec, method or task file to start from; it runs, and passes the contract tests, as it is."""
    from harness.scaffold import create

    file = create(kind, name, slot, folder)
    typer.echo(f"{file}\nnext: bench {'run' if kind == 'spec' else 'validate'} {file}")


@app.command("list", epilog="Examples: bench list · bench list optimizer · bench list tasks · bench list specs")
def list_(
    what: Annotated[str, typer.Argument(help="all, specs, tasks, or a slot.")] = "all",
    plugin: Plugins = None,
) -> None:
    """List components, tasks and shipped specs."""
    from harness.listing import listing

    typer.echo(listing(what, plugin or []))


@app.command(epilog="Examples: bench show adamw · bench show gauss-aniso · bench show quickstart · bench show 3f2a91c0")
def show(
    name: Annotated[
        str, typer.Argument(help="A component, task, shipped spec or trial id.", autocompletion=_complete_name)
    ],
    plugin: Plugins = None,
    registry: RegistryPath = None,
) -> None:
    """Show all about a component, a task, a shipped spec or a trial."""
    from harness.listing import show as show_entry

    text = show_entry(name, plugin or [])
    typer.echo(text if text is not None else _trial_text(_registry(registry), name))


@app.command(epilog="Example: bench schema > spec.schema.json, then name it in the spec's first line for your editor")
def schema(plugin: Plugins = None) -> None:
    """Print the JSON Schema of specs, with every component's parameters."""
    import json

    from harness.catalog import load_catalogue
    from specs import json_schema

    typer.echo(json.dumps(json_schema(load_catalogue(plugin or [])), indent=1))


@app.command(epilog="Examples: bench leaderboard · bench leaderboard quickstart --format md > leaderboard.md")
def leaderboard(
    specs: Annotated[list[str] | None, typer.Argument(help="Names of specs that ran; by default all.")] = None,
    form: Annotated[str, typer.Option("--format", help="terminal, md, csv or json.")] = "terminal",
    registry: RegistryPath = None,
) -> None:
    """Print the leaderboards of the newest run of each spec."""
    typer.echo(_leaderboards(_registry(registry), specs or [], form))


@app.command(epilog="Example: bench compare sgd adamw quickstart")
def compare(
    a: Annotated[str, typer.Argument(help="Label of a method.")],
    b: Annotated[str, typer.Argument(help="Label of the method to compare it with.")],
    specs: Annotated[list[str] | None, typer.Argument(help="Names of specs that ran; by default all.")] = None,
    form: Annotated[str, typer.Option("--format", help="terminal, md or json.")] = "terminal",
    registry: RegistryPath = None,
) -> None:
    """Compare two methods over the tasks and seeds they share, with paired intervals."""
    from harness import api
    from reports.compare import render_comparison

    typer.echo(render_comparison(api.compare(a, b, *(specs or []), registry=_registry(registry)), form))


@app.command(epilog='Example: bench query "SELECT status, count(*) FROM trials GROUP BY status"')
def query(
    sql: Annotated[str, typer.Argument(help="One read-only statement; see `SHOW TABLES`.")],
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
    max_rows: Annotated[int, typer.Option(min=1, help="Stop with an error beyond so many rows.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=0.01, help="Stop with an error after so many seconds.")] = 30.0,
    registry: RegistryPath = None,
) -> None:
    """Ask the registry in SQL, read-only, without access to files or the network."""
    from harness.listing import format_table

    typer.echo(format_table(_registry(registry).query(sql, max_rows, seconds), form))


@app.command(epilog="Example: bench logs 3f2a91c0")
def logs(
    trial: Annotated[str, typer.Argument(help="Trial id or a unique beginning of it.")], registry: RegistryPath = None
) -> None:
    """Print what a trial wrote, and its traceback if it raised."""
    store = _registry(registry)
    record = store.record(store.resolve(trial))
    typer.echo(f"{record['trial']} {record['status']} {record['reason']}".rstrip())
    typer.echo(record["log"] or "(it wrote nothing)", nl=not record["log"].endswith("\n"))


@app.command(epilog="Example: bench debug 3f2a91c0 (opens pdb where it raises; --break stops at the task's first line)")
def debug(
    trial: Annotated[str, typer.Argument(help="Trial id or a unique beginning of it.")],
    plugin: Plugins = None,
    stop: Annotated[bool, typer.Option("--break", help="Stop at the task's first line.")] = False,
    registry: RegistryPath = None,
) -> None:
    """Run one stored trial in this process, with the debugger; nothing is recorded."""
    from harness.debug import debug_trial

    store = _registry(registry)
    typer.echo(debug_trial(store.record(store.resolve(trial)), store.folder.root, plugin or [], stop))


@app.command(epilog="Example: bench data")
def data() -> None:
    """List the data sets: what is there, size, licence, and the line that brings what is missing."""
    from harness.listing import datasets

    typer.echo(datasets())


@registry_app.command("info", epilog="Example: bench registry info")
def registry_info(registry: RegistryPath = None) -> None:
    """Where the registry is and what it holds."""
    from harness.listing import registry_text

    typer.echo(registry_text(_registry(registry).info()))


@registry_app.command("rebuild", epilog="Example: bench registry rebuild")
def registry_rebuild(registry: RegistryPath = None) -> None:
    """Build the index anew from the segments; loses nothing."""
    store = _registry(registry)
    done = store.rebuild()
    typer.echo(f"{store.folder.root}: index rebuilt, {done.records} records")


def _registry(path: Path | None) -> Registry:
    from harness.api import open_registry

    store = open_registry(path)
    store.sync(wait=False)
    return store


def _leaderboards(store: Registry, specs: list[str], form: str) -> str:
    from reports.leaderboard import leaderboards, render
    from reports.results import load_results

    return render(leaderboards(load_results(store, specs)), form)


def _echo_matrix(plan: Any, known: Any) -> None:
    from harness.listing import matrix

    typer.echo(matrix(plan, known))


def _echo_next(spec: str, plan: Any, store: Registry, failed: bool) -> None:
    typer.echo(f"\nregistry: {store.folder.root}")
    if failed:
        typer.echo("next: bench query \"SELECT trial, status, reason FROM trials WHERE status <> 'ok'\"")
    typer.echo(f"next: bench leaderboard {plan.spec.name} --format md · bench list · bench new method my-method")


def _trial_text(store: Registry, prefix: str) -> str:
    from harness.listing import record_text

    return record_text(store.record(store.resolve(prefix)))


if __name__ == "__main__":
    main()
