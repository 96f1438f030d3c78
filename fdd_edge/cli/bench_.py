"""``fdd-edge bench``."""

from __future__ import annotations

import click

from fdd_edge.cli.click_options import Command, json_option, options_of, prompt_option, target_option
from fdd_edge.ondevice.protocol import Decoding


@click.command("bench", cls=Command)
@click.argument("artifact")
@target_option
@prompt_option()
@options_of(Decoding, "threads")
@json_option()
def command(artifact: str, target: str, prompt: str | None, threads: int | None, as_json: bool) -> None:
    """Measure what ARTIFACT costs on a target: load time, speeds, memory, energy.

    Asks packaged questions, five one at a time and sixteen in a batch. ARTIFACT is a model file, package:NAME, an
    artifact folder, a run (the judge's artifact of its best round), or a round.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.tables import print_measurement

    measured = api.bench(artifact, target=target, prompt=prompt, threads=threads)
    if as_json:
        click.echo(json.dumps(measured.to_dict()))
    else:
        print_measurement(measured)
