"""``fdd-edge export``."""

from __future__ import annotations

import click


@click.command("export")
@click.argument("model")
@click.option("-r", "--recipe", "recipes", multiple=True, required=True, metavar="NAME", help="May be given often.")
@click.option("-o", "--output", required=True, metavar="DIR", help="Gets one folder a recipe.")
@click.option("--revision", metavar="REV", help="Branch, tag or commit of a hub id.")
@click.option("--prompt", metavar="plain|chat|FILE", help="Prompt to store; default: the one it was trained on.")
@click.option("--prompts", metavar="FILE", help="Problems for the certificates; default: 64 packaged ones.")
@click.option("--no-parity", is_flag=True, help="Make no parity certificates.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    model: str,
    recipes: tuple[str, ...],
    output: str,
    revision: str | None,
    prompt: str | None,
    prompts: str | None,
    no_parity: bool,
    as_json: bool,
) -> None:
    """Export MODEL by recipes (see `fdd-edge ls`), and hold every artifact against it.

    MODEL is a Hugging Face folder or hub id, a .gguf file, package:NAME, a run, or a round of one. An artifact that
    fails its parity certificate is left out of DIR, and the exit code is 4.
    """
    import json
    import shlex

    from fdd_edge import api
    from fdd_edge.cli.tables import print_artifacts, print_certificate
    from fdd_edge.errors import ParityError
    from fdd_edge.parity import Certificate

    certificates: list[dict[str, object]] = []

    def show(certificate: Certificate) -> None:
        certificates.append(certificate.to_row())
        if not as_json:
            print_certificate(certificate)

    cards: list[dict[str, object]] = []
    try:
        cards = api.export(
            model,
            recipes,
            output,
            revision=revision,
            prompt=prompt,
            prompts=prompts,
            parity=not no_parity,
            on_certificate=show,
        )
    except ParityError as error:
        cards = error.artifacts
        raise
    finally:
        if as_json and (cards or certificates):
            click.echo(json.dumps({"artifacts": cards, "certificates": certificates}))
        elif cards:
            print_artifacts(cards)
            click.echo(f'\nTry it:\n\n  fdd-edge solve {shlex.quote(str(cards[0]["path"]))} "..."\n')
