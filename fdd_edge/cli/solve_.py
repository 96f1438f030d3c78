"""``fdd-edge solve``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

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

if TYPE_CHECKING:
    from fdd_edge.results import Solution


@click.command("solve", cls=Command)
@click.argument("model")
@click.argument("question", required=False)
@target_option
@prompt_option()
@num_fewshot_option
@answer_option
@max_new_tokens_option
@options_of(Decoding, "threads")
@samples_option("Replies to the question; the answer is the one that most of them give.")
@options_of(Decoding, "temperature")
@seed_option("Seed for sampling.")
@json_option()
def command(model: str, question: str | None, as_json: bool, **options: Any) -> None:
    """Ask MODEL one QUESTION; print its program and the answer.

    MODEL is a model file, package:NAME, an artifact folder, a run (the judge's artifact of its best round), or a
    round. Without QUESTION, or with -, it is read from standard input; in a terminal, you are asked for one after the
    other while the model stays loaded. A note says what makes an answer doubtful.
    """
    import sys

    from fdd_edge import api

    if question in (None, "-"):
        if question is None and sys.stdin.isatty():
            _ask_on_terminal(model, as_json=as_json, **options)
            return
        question = _read(sys.stdin)
    assert question is not None
    solution = api.solve(model, question, **options)
    _print(solution, as_json=as_json)
    if solution.answer is None:
        sys.exit(1)


def _ask_on_terminal(model: str, *, as_json: bool, **options: Any) -> None:
    """Hold a model open, and answer one question after the other until there is none."""
    from fdd_edge import api, interrupt

    with api.load(model, **options) as loaded:
        click.echo("Ask one question per line; an empty line ends.", err=True)
        while True:
            try:
                question = click.prompt("\nquestion", default="", show_default=False, err=True)
            except click.Abort:  # the end of the input, or a signal
                interrupt.stop_if_requested()
                click.echo(err=True)
                return
            if not question.strip():
                return
            _print(loaded.solve(question), as_json=as_json)


def _read(stream: TextIO) -> str:
    """Read a question.

    Raises:
        FddError: It is not text.
    """
    from fdd_edge.errors import FddError

    try:
        return stream.read().strip()
    except UnicodeDecodeError:
        raise FddError("Standard input is not UTF-8 text.") from None


def _print(solution: Solution, *, as_json: bool) -> None:
    import json

    from fdd_edge.cli.console import print_text
    from fdd_edge.ondevice.judging import explain

    if as_json:
        click.echo(json.dumps(solution.to_dict()))
        return
    click.echo(solution.program or solution.text.strip())
    click.echo(f"\n{explain(solution.completion)}")
    if len(solution.replies) > 1:
        click.echo(f"{solution.agreed} of {len(solution.replies)} replies agree")
    for note in solution.notes:
        print_text(f"Note: {note}")
