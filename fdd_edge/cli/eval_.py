"""``fdd-edge eval``."""

from __future__ import annotations

from typing import Any

import click

from fdd_edge.cli.click_options import (
    Command,
    answer_option,
    json_option,
    max_new_tokens_option,
    num_fewshot_option,
    options_of,
    prompt_option,
    samples_option,
    seed_option,
    target_option,
)
from fdd_edge.ondevice.protocol import Decoding
from fdd_edge.resolve.dataset import DatasetOptions


@click.command("eval", cls=Command)
@click.argument("artifacts", metavar="ARTIFACT...", nargs=-1, required=True)
@click.option(
    "--data",
    required=True,
    multiple=True,
    metavar="FILE|ID",
    help="Problems: a file, - for standard input, a hub id, symbolic:train or symbolic:heldout; repeatable.",
)
@options_of(DatasetOptions, "format", "split", "subset", "revision", "question_field", "answer_field", "limit")
@target_option
@prompt_option()
@num_fewshot_option
@answer_option
@max_new_tokens_option
@options_of(Decoding, "batch_size", "threads", "flash_attention", "wave")
@samples_option("Replies per problem; also prints how many problems the majority of them solves.")
@options_of(Decoding, "temperature")
@seed_option("Seed for generated problems, and for sampling.")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    help="Folder for rows.jsonl, timing.json and summary.json; with the same settings again, it is shown. Default: not "
    "kept.",
)
@json_option()
def command(artifacts: tuple[str, ...], data: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Evaluate ARTIFACT on a target.

    ARTIFACT is any GGUF or ONNX model file, yours or not, package:NAME, an artifact folder, a run (the judge's
    artifact of its best round), or a round. Several of them, or several sets of problems, make one table, in which
    each artifact is compared with the first one on the same problems; DIR then gets a folder per artifact and set.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.evaluation_table import print_evaluation, print_evaluations

    kept = options["output"]
    if len(artifacts) == len(data) == 1:
        result = api.evaluate(artifacts[0], data[0], **options)
        click.echo(json.dumps(result.to_dict())) if as_json else print_evaluation(result, kept=kept)
    else:
        table = api.evaluate_all(artifacts, data, **options)
        click.echo(json.dumps(table.to_dict())) if as_json else print_evaluations(table, kept=kept)
