"""``fdd-edge eval``."""

from __future__ import annotations

from typing import Any

import click

from fdd_edge.cli.click_options import (
    Command,
    answer_option,
    json_option,
    num_fewshot_option,
    options_of,
    prompt_option,
    seed_option,
    target_option,
)
from fdd_edge.ondevice.protocol import Decoding
from fdd_edge.resolve.dataset import DatasetOptions


@click.command("eval", cls=Command)
@click.argument("artifact")
@click.option(
    "--data",
    required=True,
    metavar="FILE|ID",
    help="Problems: a file, - for standard input, a hub id, symbolic:train or symbolic:heldout.",
)
@options_of(DatasetOptions, "format", "split", "subset", "revision", "question_field", "answer_field", "limit")
@target_option
@prompt_option()
@num_fewshot_option
@answer_option
@options_of(Decoding, "max_new_tokens", "batch_size", "threads", "wave")
@seed_option("Seed for generated problems.")
@click.option(
    "-o", "--output", metavar="DIR", help="Folder for rows.jsonl, timing.json and summary.json; default: not kept."
)
@json_option()
def command(artifact: str, data: str, as_json: bool, **options: Any) -> None:
    """Evaluate ARTIFACT on a target.

    ARTIFACT is any GGUF or ONNX model file, yours or not, package:NAME, an artifact folder, a run (the judge's
    artifact of its best round), or a round.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.tables import print_evaluation

    result = api.evaluate(artifact, data, **options)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    else:
        print_evaluation(result, kept=options["output"])
