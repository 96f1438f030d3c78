"""``fdd-edge bench``."""

from __future__ import annotations

import click

from fdd_edge.cli.options import refuse_device


@click.command("bench")
@click.argument("artifact")
@click.option("--target", default="local", show_default=True, metavar="NAME", help="Device profile to run on.")
@click.option("--device", hidden=True, expose_value=False, callback=refuse_device)
@click.option("--prompt", metavar="plain|chat|FILE", help="Default: the prompt stored in the file.")
@click.option("--threads", type=click.IntRange(1, 512), help="Default: one a physical core.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(artifact: str, target: str, prompt: str | None, threads: int | None, as_json: bool) -> None:
    """Measure what ARTIFACT costs on a target: load time, first token, speeds, memory, energy.

    Packaged questions are asked, five one at a time and sixteen in a batch. ARTIFACT is a model file, package:NAME, an
    artifact folder, or a run (the judge's artifact of its best round).
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.tables import print_measurement

    measured = api.bench(artifact, target=target, prompt=prompt, threads=threads)
    if as_json:
        click.echo(json.dumps(measured.to_row()))
    else:
        print_measurement(measured)
