"""``fdd-edge split``."""

from __future__ import annotations

import shlex
from typing import Any

import click

from fdd_edge.cli.click_options import Command, columns_options, json_option, options_of
from fdd_edge.feedback import Bands


@click.command("split", cls=Command)
@click.argument("problems")
@click.argument("answers")
@click.option("-o", "--output", required=True, metavar="DIR", help="New folder for one file of problems per label.")
@click.option(
    "--float-answers",
    metavar="DIR",
    help="Evaluation folder of the float artifact; problems that only it solves are `lost`. It may lack easy problems.",
)
@columns_options
@options_of(Bands, "easy_at", "hard_at")
@json_option()
def command(problems: str, answers: str, output: str, as_json: bool, **options: Any) -> None:
    """Split PROBLEMS into easy and hard by an artifact's answers.

    The other labels are borderline, format and lost. PROBLEMS is a round's data/train.jsonl (with feedback.pool:
    fresh, round-00/data/reserve.jsonl), or any data set. ANSWERS is an evaluation folder for these problems, such as
    round-00/eval/local/gguf-q4_0/pool, or one written by `fdd-edge eval -o`; problems without an answer in it are left
    out.
    """
    import json

    from fdd_edge import api

    result = api.split(problems, answers, output, **options)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
        return
    click.echo("\n".join(f"{label:<10} {n:>6}" for label, n in result.counts.items()))
    click.echo(f"\nWrite new problems from it:\n\n  fdd-edge evolve {shlex.quote(output)} -o evolved\n")
