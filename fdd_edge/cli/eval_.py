"""``fdd-edge eval``."""

from __future__ import annotations

from typing import Literal

import click

from fdd_edge.cli.options import refuse_device


@click.command("eval")
@click.argument("artifact")
@click.option(
    "--data", required=True, metavar="FILE|ID", help="Problems: a file, a hub id, or symbolic:train, symbolic:heldout."
)
@click.option("--format", "format_", metavar="NAME", help="Data format; default: recognised from the content.")
@click.option("--split", metavar="NAME", help="Part of a hub id, such as test.")
@click.option("--subset", metavar="NAME", help="Of a hub id that has several, such as main.")
@click.option("--revision", metavar="REV", help="Branch, tag or commit of a hub id.")
@click.option("--target", default="local", show_default=True, metavar="NAME", help="Device profile to run on.")
@click.option("--limit", type=click.IntRange(min=1), help="Take the first so many problems.")
@click.option("--device", hidden=True, expose_value=False, callback=refuse_device)
@click.option("--prompt", metavar="plain|chat|FILE", help="Default: the prompt stored in the file.")
@click.option("--shots", type=click.IntRange(min=0), default=0, metavar="N", help="Worked examples in the prompt.")
@click.option(
    "--answer",
    type=click.Choice(["program", "number"]),
    default="program",
    show_default=True,
    help="What to score: the program's answer, or the last number of a free text.",
)
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--sequences", type=click.IntRange(1, 256), default=16, show_default=True, help="Problems in one batch.")
@click.option("--threads", type=click.IntRange(1, 512), help="Default: one a physical core.")
@click.option("--wave", type=click.IntRange(min=1), default=64, show_default=True, help="Unit of resume.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws of symbolic problems.")
@click.option("-o", "--output", metavar="DIR", help="Gets rows.jsonl, timing.json, summary.json; else none are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    artifact: str,
    data: str,
    format_: str | None,
    split: str | None,
    subset: str | None,
    revision: str | None,
    target: str,
    limit: int | None,
    prompt: str | None,
    shots: int,
    answer: Literal["program", "number"],
    max_new_tokens: int,
    sequences: int,
    threads: int | None,
    wave: int,
    seed: int,
    output: str | None,
    as_json: bool,
) -> None:
    """Evaluate a model file on a target.

    ARTIFACT is a model file of anybody's, package:NAME, an artifact folder, or a run (the judge's artifact of its
    best round).
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.tables import print_evaluation

    report = api.evaluate(
        artifact,
        data,
        format=format_,
        split=split,
        subset=subset,
        revision=revision,
        target=target,
        limit=limit,
        prompt=prompt,
        shots=shots,
        answer=answer,
        max_new_tokens=max_new_tokens,
        sequences=sequences,
        threads=threads,
        wave=wave,
        seed=seed,
        output=output,
    )
    if as_json:
        click.echo(json.dumps(report))
    else:
        print_evaluation(report)
