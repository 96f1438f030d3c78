"""``fdd-edge evolve``."""

from __future__ import annotations

from typing import Any

import click

from fdd_edge.cli.click_options import Command, json_option, options_of, seed_option
from fdd_edge.feedback import EvolveOptions


@click.command("evolve", cls=Command)
@click.argument("split")
@click.option("-o", "--output", required=True, metavar="DIR", help="New folder for problems.jsonl and declined.jsonl.")
@click.option(
    "--teacher",
    default="symbolic",
    show_default=True,
    metavar="NAME",
    help="Teacher that writes: a name (see `fdd-edge ls teachers`), or `module:Class`.",
)
@options_of(EvolveOptions, "per_easy", "per_hard", "max_depth", "policy")
@click.option(
    "--round",
    "round_number",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Number of the round that the split belongs to.",
)
@seed_option("The run's seed; the round number is added.")
@json_option()
def command(split: str, output: str, as_json: bool, **options: Any) -> None:
    """Let a teacher write new problems from SPLIT.

    It writes harder problems from easy ones, and similar problems from hard ones. SPLIT is a folder written by
    `fdd-edge split` or by a round of a run. The new problems are not checked here; in a run, curation checks them next.
    """
    import json

    from fdd_edge import api

    result = api.evolve(split, output, **options)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
        return
    for branch, n in result.evolved.items():
        declined = ", ".join(f"{count} {reason}" for reason, count in result.declined.get(branch, {}).items())
        click.echo(f"{branch:<10} {n:>6}" + (f"   declined: {declined}" if declined else ""))
