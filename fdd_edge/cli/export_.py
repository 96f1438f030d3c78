"""``fdd-edge export``."""

from __future__ import annotations

import click


@click.command("export")
@click.argument("model")
@click.option("-r", "--recipe", "recipes", multiple=True, required=True, metavar="NAME", help="May be given often.")
@click.option("-o", "--output", required=True, metavar="DIR", help="Gets one folder a recipe.")
@click.option("--revision", metavar="REV", help="Branch, tag or commit of a hub id.")
@click.option("--prompt", metavar="plain|chat|FILE", help="Prompt to store; default: the one it was trained on.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    model: str, recipes: tuple[str, ...], output: str, revision: str | None, prompt: str | None, as_json: bool
) -> None:
    """Export MODEL by recipes (see `fdd-edge ls`).

    MODEL is a Hugging Face folder or hub id, a .gguf file, package:NAME, a run, or a round of one.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.tables import print_artifacts

    cards = api.export(model, recipes, output, revision=revision, prompt=prompt)
    if as_json:
        click.echo(json.dumps({"artifacts": cards}))
    else:
        print_artifacts(cards)
        click.echo(f'\nTry it:\n\n  fdd-edge solve {cards[0]["path"]} "..."\n')
