"""``fdd-edge run``."""

from __future__ import annotations

import shlex

import click

from fdd_edge.runs import RoundLayout, RunLayout

_QUESTION = "Tom has 3 bags with 4 apples each. He eats 2 apples. How many apples are left?"


@click.command("run")
@click.argument("config")
@click.option("-o", "--output", metavar="RUN", help="Run folder; default: output_dir of the config.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, such as feedback.limit=100."
)
@click.option("--rounds", type=click.IntRange(min=1), help="Number of rounds; more than before extends a run.")
@click.option("--no-parity", is_flag=True, help="Make no parity certificates; the manifest says so.")
@click.option("--fail-on-gate", is_flag=True, help="Exit 3 if the last round is held back by a gate.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a round instead of tables.")
def command(
    config: str,
    output: str | None,
    overrides: tuple[str, ...],
    rounds: int | None,
    no_parity: bool,
    fail_on_gate: bool,
    as_json: bool,
) -> None:
    """Distil a student as CONFIG says, or go on where an earlier call stopped.

    CONFIG is the name of a packaged config (see `fdd-edge ls`) or a YAML file.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.tables import print_round
    from fdd_edge.errors import GateError
    from fdd_edge.pipeline.round_summary import RoundSummary

    last: RoundSummary | None = None

    def show(summary: RoundSummary) -> None:
        nonlocal last
        last = summary
        if as_json:
            click.echo(json.dumps(summary.to_row()))
        else:
            print_round(summary)

    layout = api.run(config, output=output, overrides=overrides, rounds=rounds, parity=not no_parity, on_round=show)
    assert last is not None
    if not as_json:
        _say_what_next(layout, layout.round(last.round))
    if fail_on_gate and last.held_back:
        raise GateError(f"Round {last.round} is held back: {'; '.join(last.held_back)}.")


def _say_what_next(layout: RunLayout, newest: RoundLayout) -> None:
    """Name the best round and how to try it; where the gates let none through, what can be done."""
    if not layout.best.exists():
        click.echo("\nNo round is the best: each was held back by a gate. Another bound trains nothing again:")
        click.echo("the same command with --set gates.KEY=VALUE. Or try the newest round as it is:\n")
        click.echo(f'  fdd-edge solve {shlex.quote(str(newest.root))} "{_QUESTION}"\n')
        return
    click.echo(f"\nThe best round is {layout.best.resolve().name}. Try it:\n")
    click.echo(f'  fdd-edge solve {shlex.quote(str(layout.root))} "{_QUESTION}"\n')
