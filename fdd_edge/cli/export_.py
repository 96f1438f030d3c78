"""``fdd-edge export``."""

from __future__ import annotations

from typing import Any

import click

from fdd_edge.cli.click_options import Command, json_option, prompt_option, revision_option


@click.command("export", cls=Command)
@click.argument("model")
@click.option("-r", "--recipe", "recipes", multiple=True, required=True, metavar="NAME", help="Repeatable.")
@click.option("-o", "--output", required=True, metavar="DIR", help="Output folder; one subfolder per recipe.")
@revision_option("Branch, tag or commit of a hub id.")
@prompt_option("Prompt to store; default: the one it was trained on.")
@click.option("--prompts", metavar="FILE", help="Problems for the certificates; default: 64 packaged problems.")
@click.option("--no-parity", is_flag=True, help="Make no parity certificates.")
@json_option()
def command(model: str, recipes: tuple[str, ...], output: str, no_parity: bool, as_json: bool, **options: Any) -> None:
    """Export MODEL by recipes (see `fdd-edge ls recipes`), and compare every artifact with it.

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
        made = api.export(model, recipes, output, parity=not no_parity, on_certificate=show, **options)
        cards = [artifact.to_dict() for artifact in made]
    except ParityError as error:
        cards = error.artifacts
        raise
    finally:
        if as_json and (cards or certificates):
            click.echo(json.dumps({"artifacts": cards, "certificates": certificates}))
        elif cards:
            print_artifacts(cards)
            question = "Tom has 3 bags with 4 apples each. He eats 2 apples. How many apples are left?"
            click.echo(f'\nTry it:\n\n  fdd-edge solve {shlex.quote(str(cards[0]["path"]))} "{question}"\n')
