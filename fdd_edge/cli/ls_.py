"""``fdd-edge ls``."""

from __future__ import annotations

import click

from fdd_edge.cli.click_options import Command, json_option


@click.command("ls", cls=Command)
@click.argument(
    "kind",
    required=False,
    metavar="[KIND]",
    type=click.Choice(["recipes", "targets", "configs", "teachers", "prompts", "formats"]),
)
@json_option()
def command(kind: str | None, as_json: bool) -> None:
    """List recipes, targets, configs, teachers, their prompts and data formats.

    With KIND (recipes, targets, configs, teachers, prompts or formats), list only these.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.console import print_labelled

    listed = api.ls().to_dict()
    names = listed if kind is None else {kind: listed[kind]}
    if as_json:
        click.echo(json.dumps(names))
        return
    for title, entries in names.items():
        click.echo(f"{title}:")
        width = max(len(entry) for entry in entries) + 3
        print_labelled(((f"  {entry}", description) for entry, description in entries.items()), width=width)
