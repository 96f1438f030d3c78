"""``fdd-edge solve``."""

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
    target_option,
)
from fdd_edge.ondevice.protocol import Decoding


@click.command("solve", cls=Command)
@click.argument("model")
@click.argument("question")
@target_option
@prompt_option()
@num_fewshot_option
@answer_option
@options_of(Decoding, "max_new_tokens", "threads")
@json_option()
def command(model: str, question: str, as_json: bool, **options: Any) -> None:
    """Ask MODEL one QUESTION; print its program and the answer.

    MODEL is a model file, package:NAME, an artifact folder, a run (the judge's artifact of its best round), or a
    round.
    """
    import json
    import sys

    from fdd_edge import api
    from fdd_edge.ondevice.judging import explain

    solution = api.solve(model, question, **options)
    if as_json:
        click.echo(json.dumps(solution.to_dict()))
    else:
        click.echo(solution.program or solution.text.strip())
        click.echo(f"\n{explain(solution.completion)}")
    if solution.answer is None:
        sys.exit(1)
