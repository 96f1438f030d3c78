"""``fdd-edge parity``."""

from __future__ import annotations

from typing import Any

import click

from fdd_edge.arguments import HostOptions
from fdd_edge.cli.click_options import (
    Command,
    columns_options,
    json_option,
    options_of,
    prompt_option,
    revision_option,
    target_option,
)


@click.command("parity", cls=Command)
@click.argument("artifact")
@click.option("--reference", required=True, metavar="MODEL", help="The float model it was made from.")
@revision_option("Branch, tag or commit of MODEL, if it is a hub id.")
@click.option(
    "--prompts",
    metavar="FILE",
    help="Problems to ask, filled up to 64 with packaged ones; default: 64 packaged problems.",
)
@columns_options
@click.option(
    "--recipe", metavar="NAME", help="Recipe whose bounds to check against; default: the one named in the file."
)
@prompt_option("Prompt for both sides; default: the one stored with each.")
@target_option
@options_of(HostOptions, "threads")
@click.option("-o", "--output", metavar="FILE", help="File for the certificate, as JSON.")
@json_option("Print the certificate as one JSON object.")
def command(artifact: str, reference: str, as_json: bool, **options: Any) -> None:
    """Compare ARTIFACT with the float model it was made from, item by item.

    The exit code is 4 if an item fails. ARTIFACT is a model file, package:NAME, an artifact folder, a run (the judge's
    artifact of its best round), or a round. MODEL is a Hugging Face folder or hub id, a .gguf file, package:NAME, a
    run (its best round), or a round. `eval` reports a certificate that is stored as parity.json next to the model
    file.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.tables import print_certificate
    from fdd_edge.errors import ParityError

    certificate = api.certify(artifact, reference, **options)
    if as_json:
        click.echo(json.dumps(certificate.to_dict()))
    else:
        print_certificate(certificate, items=True)
    if not certificate.passed:
        failed = "".join(f"\n  {item.failure_message}" for item in certificate.failed)
        raise ParityError(f"{artifact} does not match its reference model:{failed}")
