"""``fdd-edge solve``."""

from __future__ import annotations

import click

from fdd_edge.cli.options import refuse_device

_REASONS = {
    "no_program": "nothing in it is a program",
    "forbidden": "it uses something outside the program language",
    "error": "it failed while running",
    "limit": "it ran into a limit of length, steps or size",
    "unfinished": "it was cut off; raise --max-new-tokens",
}


@click.command("solve")
@click.argument("model")
@click.argument("question")
@click.option("--target", default="local", show_default=True, metavar="NAME", help="Device profile to run on.")
@click.option("--device", hidden=True, expose_value=False, callback=refuse_device)
@click.option("--prompt", metavar="plain|chat|FILE", help="Default: the prompt stored in the file.")
@click.option("--shots", type=click.IntRange(min=0), default=0, metavar="N", help="Worked examples in the prompt.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    model: str, question: str, target: str, prompt: str | None, shots: int, max_new_tokens: int, as_json: bool
) -> None:
    """Ask MODEL one QUESTION; print its program and the answer.

    MODEL is a model file, package:NAME, an artifact folder, or a run (the judge's artifact of its best round).
    """
    import json
    import sys

    from fdd_edge import api

    completion = api.solve(model, question, target=target, prompt=prompt, shots=shots, max_new_tokens=max_new_tokens)
    if as_json:
        click.echo(json.dumps(completion.to_row()))
    else:
        click.echo(completion.program or completion.text.strip())
        if completion.answer is None:
            click.echo(f"\nThis gives no answer: {_REASONS[str(completion.verdict)]}.", err=True)
        else:
            click.echo(f"\nanswer: {completion.answer}")
    if completion.answer is None:
        sys.exit(1)
