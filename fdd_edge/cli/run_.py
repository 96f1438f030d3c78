"""``fdd-edge run``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from fdd_edge.cli.click_options import Command, json_option

if TYPE_CHECKING:
    from fdd_edge.pipeline.round_summary import RoundSummary
    from fdd_edge.results import RunResult

_QUESTION = "Tom has 3 bags with 4 apples each. He eats 2 apples. How many apples are left?"


@click.command("run", cls=Command)
@click.argument("config")
@click.option("-o", "--output", metavar="RUN", help="Run folder; default: output_dir of the config.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key, such as feedback.limit=100; repeatable.",
)
@click.option("--rounds", type=click.IntRange(min=1), help="Number of rounds; more than before extends a run.")
@click.option("--no-parity", is_flag=True, help="Make no parity certificates; the manifest says so.")
@click.option("--fail-on-gate", is_flag=True, help="Exit with code 3 if a gate holds the last round back.")
@json_option("Print one JSON object per round instead of tables.")
def command(
    config: str,
    output: str | None,
    overrides: tuple[str, ...],
    rounds: int | None,
    no_parity: bool,
    fail_on_gate: bool,
    as_json: bool,
) -> None:
    """Distil a student as CONFIG says, or resume where an earlier call stopped.

    CONFIG is the name of a packaged config (see `fdd-edge ls configs`), a YAML file, or a run folder.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.round_table import print_legend, print_round
    from fdd_edge.errors import GateError

    shown: list[RoundSummary] = []

    def show(summary: RoundSummary) -> None:
        shown.append(summary)
        if as_json:
            click.echo(json.dumps(summary.to_row()))
        else:
            print_round(summary)

    result = api.run(config, output=output, overrides=overrides, rounds=rounds, parity=not no_parity, on_round=show)
    last = shown[-1]
    if not as_json:
        print_legend(shown)
        _say_what_next(result, last)
    if fail_on_gate and last.held_back:
        raise GateError(f"Round {last.round} is held back: {'; '.join(last.held_back)}.")


def _say_what_next(run: RunResult, last: RoundSummary) -> None:
    """Say what came out, and how to try it."""
    path, best = shlex.quote(str(run.path)), run.best
    if last.would_repeat:
        click.echo(last.would_repeat)
    if best is None:
        newest = shlex.quote(str(run.rounds[-1].path))
        click.echo(
            "No round passed its gates. To change a gate, repeat the command with --set gates.KEY=VALUE: nothing"
        )
        click.echo("is trained again. Or try the newest round as it is:\n")
        click.echo(f'  fdd-edge solve {newest} "{_QUESTION}"\n')
    elif not any(one.accuracy for one in run.rounds):
        click.echo("The run is complete, but no round has solved a validation problem. For a student that does:\n")
        click.echo("  fdd-edge run quickstart\n")
    else:
        click.echo(f"The best round is {best.path.name}. Try it:\n")
        click.echo(f'  fdd-edge solve {path} "{_QUESTION}"\n')
