"""``fdd-edge rows``."""

from __future__ import annotations

import click

from fdd_edge.cli.click_options import Command, json_option
from fdd_edge.ondevice.verdicts import Verdict


@click.command("rows", cls=Command)
@click.argument("path", metavar="RUN|EVAL")
@click.option(
    "--verdict", "verdicts", multiple=True, type=click.Choice([str(v) for v in Verdict]), help="Only these; repeatable."
)
@click.option("--label", metavar="LABEL", help="Only problems that a round of a run labelled so, such as lost.")
@click.option(
    "--set",
    "dataset",
    metavar="NAME",
    help="Only this set, such as valid. Default: all but the pool that a round labels.",
)
@click.option("-n", "--n", "n", type=click.IntRange(1), metavar="N", help="Only the first N.")
@click.option("--against", metavar="RUN|EVAL", help="Show its replies to the same problems next to them.")
@json_option()
def command(
    path: str,
    verdicts: tuple[str, ...],
    label: str | None,
    dataset: str | None,
    n: int | None,
    against: str | None,
    as_json: bool,
) -> None:
    """Show replies with their questions, expected answers and verdicts.

    RUN is a run (the judge's artifact in its best round) or a round; EVAL is a folder that `fdd-edge eval -o` wrote, or
    one inside a run, such as RUN/round-00/eval/local/gguf-q4_0. What is longer
    than the terminal is shown in a pager.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.console import print_pages
    from fdd_edge.cli.row_table import rows_as_lines

    found = api.rows(path, verdict=verdicts, label=label, dataset=dataset, n=n, against=against)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        print_pages([part for line in rows_as_lines(found) for part in line.split("\n")])
