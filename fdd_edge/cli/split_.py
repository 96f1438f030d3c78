"""``fdd-edge split``."""

from __future__ import annotations

import shlex

import click


@click.command("split")
@click.argument("problems")
@click.argument("answers")
@click.option("-o", "--output", required=True, metavar="DIR", help="New folder; gets one file of problems a label.")
@click.option(
    "--float-answers", metavar="DIR", help="Evaluation of the float artifact; what it solves of the rest is lost."
)
@click.option(
    "--easy-at", type=click.FloatRange(0, 1), default=0.75, show_default=True, help="Easy from this pass rate."
)
@click.option(
    "--hard-at", type=click.FloatRange(0, 1), default=0.25, show_default=True, help="Hard up to this pass rate."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    problems: str,
    answers: str,
    output: str,
    float_answers: str | None,
    easy_at: float,
    hard_at: float,
    as_json: bool,
) -> None:
    """Part problems into easy, hard, borderline, format and lost by an artifact's answers.

    PROBLEMS is a round's data/train.jsonl (under feedback.pool: fresh, round-00/data/reserve.jsonl), or any data set.
    ANSWERS is the folder of an evaluation of them, such as round-00/eval/local/gguf-q4_0/pool, or what `fdd-edge eval
    -o` wrote; problems that it does not answer are left out.
    """
    import json

    from fdd_edge import api

    counts = api.split(problems, answers, output, float_answers=float_answers, easy_at=easy_at, hard_at=hard_at)
    if as_json:
        click.echo(json.dumps({"path": output, "split": counts}))
        return
    click.echo("\n".join(f"{label:<10} {n:>6}" for label, n in counts.items()))
    click.echo(f"\nNew problems from it:\n\n  fdd-edge evolve {shlex.quote(output)} -o evolved.jsonl\n")
