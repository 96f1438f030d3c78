"""``fdd-edge eval``."""

from __future__ import annotations

from typing import Any

import click

from fdd_edge.cli.click_options import Command, json_option, options_of, prompt_option, target_option
from fdd_edge.ondevice.protocol import Decoding
from fdd_edge.resolve.dataset import DatasetOptions


@click.command("eval", cls=Command)
@click.argument("artifact")
@click.option(
    "--data", required=True, metavar="FILE|ID", help="Problems: a file, a hub id, symbolic:train or symbolic:heldout."
)
@options_of(DatasetOptions, "format", "split", "subset", "revision", "limit")
@target_option
@prompt_option()
@click.option(
    "--num-fewshot", type=click.IntRange(min=0), default=0, metavar="N", help="Worked examples in the prompt."
)
@click.option(
    "--answer",
    type=click.Choice(["program", "number"]),
    default="program",
    show_default=True,
    help="What to score: the program's answer, or the last number of a free text.",
)
@options_of(Decoding, "max_new_tokens", "batch_size", "threads", "wave")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed for generated problems.")
@click.option("-o", "--output", metavar="DIR", help="Gets rows.jsonl, timing.json and summary.json; default: not kept.")
@json_option()
def command(artifact: str, data: str, as_json: bool, **options: Any) -> None:
    """Evaluate a model file on a target.

    ARTIFACT is any GGUF or ONNX model file, yours or not, package:NAME, an artifact folder, or a run (the judge's
    artifact of its best round).
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.tables import print_evaluation

    result = api.evaluate(artifact, data, **options)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    else:
        print_evaluation(result, kept=options["output"])
