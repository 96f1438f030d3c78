"""``fdd-edge ls``."""

from __future__ import annotations

import click

from fdd_edge.cli.click_options import Command, json_option


@click.command("ls", cls=Command)
@click.argument("kind", required=False, type=click.Choice(["recipes", "targets", "configs", "teachers", "formats"]))
@json_option()
def command(kind: str | None, as_json: bool) -> None:
    """List recipes, targets, configs, teachers and data formats, or one KIND of them."""
    import json

    from fdd_edge import api

    names = api.ls() if kind is None else {kind: api.ls()[kind]}
    if as_json:
        click.echo(json.dumps(names))
        return
    for title, entries in names.items():
        click.echo(f"{title}:")
        width = max(len(entry) for entry in entries)
        for entry, description in entries.items():
            click.echo(f"  {entry:<{width}}  {description}".rstrip())
