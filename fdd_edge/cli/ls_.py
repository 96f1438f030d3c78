"""``fdd-edge ls``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fdd_edge.cli.click_options import Command, json_option

if TYPE_CHECKING:
    from fdd_edge.pipeline.run_listing import RunList


@click.command("ls", cls=Command)
@click.argument(
    "kind",
    required=False,
    metavar="[KIND]",
    type=click.Choice(["recipes", "targets", "configs", "teachers", "prompts", "formats", "runs", "schema"]),
)
@click.argument("folder", required=False, metavar="[FOLDER]")
@json_option()
def command(kind: str | None, folder: str | None, as_json: bool) -> None:
    """List recipes, targets, configs, teachers, their prompts and data formats; or runs.

    With KIND (recipes, targets, configs, teachers, prompts or formats), list only these. `fdd-edge ls runs` lists the
    runs in FOLDER and its subfolders, by default the current one. `ls schema` prints the JSON schema of a config, for
    editors.
    """
    import json

    if folder is not None and kind != "runs":
        raise click.UsageError("FOLDER applies to `fdd-edge ls runs` only.")
    if kind == "schema":
        from fdd_edge.config_schema import config_schema

        click.echo(json.dumps(config_schema(), indent=1))
        return

    from fdd_edge import api
    from fdd_edge.cli.console import print_labelled

    if kind == "runs":
        runs = api.list_runs(folder or ".")
        click.echo(json.dumps(runs.to_dict())) if as_json else _print_runs(runs, folder or ".")
        return
    listed = api.ls().to_dict()
    names = listed if kind is None else {kind: listed[kind]}
    if as_json:
        click.echo(json.dumps(names))
        return
    for title, entries in names.items():
        click.echo(f"{title}:")
        width = max(len(entry) for entry in entries) + 3
        print_labelled(((f"  {entry}", description) for entry, description in entries.items()), width=width)


def _print_runs(runs: RunList, folder: str) -> None:
    from fdd_edge.cli.console import print_text
    from fdd_edge.cli.rich_table import Name, empty_table, print_table

    if not runs:
        print_text(f"There is no run in {folder} or its subfolders; begin one with: fdd-edge run CONFIG")
        return
    table = empty_table()
    for name in ("run", "student"):
        table.add_column(name)
    for name in ("rounds", "best", "% of valid"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for run in runs:
        table.add_row(
            Name(str(run.path)),
            Name(run.student or "?"),
            f"{run.finished} of {'?' if run.rounds is None else run.rounds}",
            "-" if run.best is None else f"round {run.best}",
            "-" if run.accuracy is None else f"{100 * run.accuracy:.1f}",
            run.state,
        )
    print_table(table)
