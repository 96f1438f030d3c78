"""``fdd-edge run``."""

from __future__ import annotations

import click

_QUESTION = "Tom has 3 bags with 4 apples each. He eats 2 apples. How many apples are left?"


@click.command("run")
@click.argument("config")
@click.option("-o", "--output", metavar="RUN", help="Run folder; default: output_dir of the config.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, such as feedback.limit=100."
)
@click.option("--rounds", type=click.IntRange(min=1), help="Number of rounds; more than before extends a run.")
@click.option("--no-parity", is_flag=True, help="Make no parity certificates; the manifest says so.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a round instead of tables.")
def command(
    config: str, output: str | None, overrides: tuple[str, ...], rounds: int | None, no_parity: bool, as_json: bool
) -> None:
    """Distil a student as CONFIG says, or go on where an earlier call stopped.

    CONFIG is the name of a packaged config (see `fdd-edge ls`) or a YAML file.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.tables import print_round
    from fdd_edge.stages.summary import RoundSummary

    def show(summary: RoundSummary) -> None:
        if as_json:
            click.echo(json.dumps(summary.to_row()))
        else:
            print_round(summary)

    layout = api.run(config, output=output, overrides=overrides, rounds=rounds, parity=not no_parity, on_round=show)
    if not as_json:
        click.echo(f"\nThe best round is {layout.best.resolve().name}. Try it:\n")
        click.echo(f'  fdd-edge solve {layout.root} "{_QUESTION}"\n')
