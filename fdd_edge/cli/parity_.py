"""``fdd-edge parity``."""

from __future__ import annotations

import click


@click.command("parity")
@click.argument("artifact")
@click.option("--reference", required=True, metavar="MODEL", help="The float model it was made from.")
@click.option("--revision", metavar="REV", help="Branch, tag or commit of MODEL, a hub id.")
@click.option("--prompts", metavar="FILE", help="Problems to ask; default: 64 packaged ones, which also fill up fewer.")
@click.option("--recipe", metavar="NAME", help="Whose bounds apply; default: the one the file names.")
@click.option("--prompt", metavar="plain|chat|FILE", help="For both sides; default: the prompt each of them carries.")
@click.option("--target", default="local", show_default=True, metavar="NAME", help="Device profile to run on.")
@click.option("-o", "--output", metavar="FILE", help="Gets the certificate, as JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the certificate as one JSON object.")
def command(
    artifact: str,
    reference: str,
    revision: str | None,
    prompts: str | None,
    recipe: str | None,
    prompt: str | None,
    target: str,
    output: str | None,
    as_json: bool,
) -> None:
    """Hold ARTIFACT against the float model it was made from, item by item; exit code 4 if one fails.

    ARTIFACT is a model file, an artifact folder, or a run (the judge's artifact of its best round). MODEL is a
    Hugging Face folder or hub id, a .gguf file, package:NAME, a run, or a round of one. `eval` finds a certificate
    that is stored as parity.json beside the model file.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.tables import print_certificate
    from fdd_edge.errors import ParityError

    certificate = api.certify(
        artifact,
        reference,
        revision=revision,
        prompts=prompts,
        recipe=recipe,
        prompt=prompt,
        target=target,
        output=output,
    )
    if as_json:
        click.echo(json.dumps(certificate.to_row()))
    else:
        print_certificate(certificate)
    if not certificate.passed:
        named = "".join(f"\n  {item.failure_message}" for item in certificate.failed)
        raise ParityError(f"{artifact} is not the model it was made from:{named}")
