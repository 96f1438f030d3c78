"""``fdd-edge export``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fdd_edge.arguments import HostOptions
from fdd_edge.cli.click_options import (
    EXAMPLE_QUESTION,
    Command,
    columns_options,
    json_option,
    options_of,
    prompt_option,
    revision_option,
)


@click.command("export", cls=Command)
@click.argument("model")
@click.option(
    "-r", "--recipe", "recipes", multiple=True, required=True, metavar="NAME", help="Recipe to export by; repeatable."
)
@click.option("-o", "--output", required=True, metavar="DIR", help="Output folder; one subfolder per recipe.")
@revision_option("Branch, tag or commit of a hub id.")
@prompt_option("Prompt to store; default: the one it was trained on.")
@click.option("--prompts", metavar="FILE", help="Problems for the certificates; default: 64 packaged problems.")
@columns_options
@click.option("--no-parity", is_flag=True, help="Skip the parity certificates.")
@options_of(HostOptions, "threads")
@json_option()
def command(model: str, recipes: tuple[str, ...], output: str, no_parity: bool, as_json: bool, **options: Any) -> None:
    """Export MODEL by recipes, and compare every artifact with it.

    MODEL is a Hugging Face folder or hub id, a .gguf file, package:NAME, a run (its best round), or a round.
    `fdd-edge ls recipes` lists the recipes. An artifact that fails its parity check is left out of DIR, and the exit
    code is 4.
    """
    import json
    import shlex

    from fdd_edge import api
    from fdd_edge.cli.tables import print_artifacts, print_certificate
    from fdd_edge.errors import ParityError
    from fdd_edge.parity import Certificate

    certificates: list[Mapping[str, object]] = []

    def show(certificate: Certificate) -> None:
        certificates.append(certificate.to_dict())
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
            path = shlex.quote(str(cards[0]["path"]))
            click.echo(f'\nTry it:\n\n  fdd-edge solve {path} "{EXAMPLE_QUESTION}"\n')
