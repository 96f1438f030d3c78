"""``fdd-edge solve``."""

from __future__ import annotations

import click

from fdd_edge.cli.options import refuse_device


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
    from fdd_edge.ondevice.verdicts import tell_answer

    completion = api.solve(model, question, target=target, prompt=prompt, shots=shots, max_new_tokens=max_new_tokens)
    if as_json:
        click.echo(json.dumps(completion.to_row()))
    else:
        click.echo(completion.program or completion.text.strip())
        click.echo(f"\n{tell_answer(completion.answer, completion.verdict)}")
    if completion.answer is None:
        sys.exit(1)
