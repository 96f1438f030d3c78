"""``fdd-edge parity``."""

from __future__ import annotations

from typing import Any

import click

from fdd_edge.cli.click_options import Command, json_option, prompt_option, revision_option, target_option


@click.command("parity", cls=Command)
@click.argument("artifact")
@click.option("--reference", required=True, metavar="MODEL", help="The float model it was made from.")
@revision_option("Branch, tag or commit of MODEL, if it is a hub id.")
@click.option(
    "--prompts", metavar="FILE", help="Problems to ask; default: 64 packaged ones, which also fill up a smaller number."
)
@click.option("--recipe", metavar="NAME", help="Whose bounds apply; default: the recipe named in the file.")
@prompt_option("For both sides; default: the prompt stored with each of them.")
@target_option
@click.option("-o", "--output", metavar="FILE", help="Gets the certificate, as JSON.")
@json_option("Print the certificate as one JSON object.")
def command(artifact: str, reference: str, as_json: bool, **options: Any) -> None:
    """Compare ARTIFACT with the float model it was made from, item by item; exit code 4 if an item fails.

    ARTIFACT is a model file, an artifact folder, or a run (the judge's artifact of its best round). MODEL is a
    Hugging Face folder or hub id, a .gguf file, package:NAME, a run, or a round of one. `eval` finds a certificate
    that is stored as parity.json next to the model file.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.tables import print_certificate
    from fdd_edge.errors import ParityError

    certificate = api.certify(artifact, reference, **options)
    if as_json:
        click.echo(json.dumps(certificate.to_row()))
    else:
        print_certificate(certificate, items=True)
    if not certificate.passed:
        failed = "".join(f"\n  {item.failure_message}" for item in certificate.failed)
        raise ParityError(f"{artifact} does not match its reference model:{failed}")
