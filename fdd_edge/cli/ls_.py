"""``fdd-edge ls``."""

from __future__ import annotations

import click


@click.command("ls")
@click.argument("kind", required=False, type=click.Choice(["recipes", "targets", "configs", "teachers", "formats"]))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(kind: str | None, as_json: bool) -> None:
    """List recipes, targets, configs, teachers and data formats, or one KIND of them."""
    import json

    shelves = _shelves() if kind is None else {kind: _shelves()[kind]}
    if as_json:
        click.echo(json.dumps(shelves))
        return
    for name, entries in shelves.items():
        click.echo(f"{name}:")
        width = max(len(entry) for entry in entries)
        for entry, description in entries.items():
            click.echo(f"  {entry:<{width}}  {description}".rstrip())


def _shelves() -> dict[str, dict[str, str]]:
    """Return every kind's names, each with its line of description."""
    import yaml

    from fdd_edge import catalog
    from fdd_edge.data import FORMATS
    from fdd_edge.teachers import TEACHERS

    def described(shelf: catalog.Shelf) -> dict[str, str]:
        files = {name: catalog.find(shelf, name).read_text(encoding="utf-8") for name in catalog.names(shelf)}
        return {name: str(yaml.safe_load(text).get("description", "")) for name, text in files.items()}

    def first_comment(text: str) -> str:
        first = text.split("\n", 1)[0]
        return first.removeprefix("#").strip() if first.startswith("#") else ""

    configs = {
        name: first_comment(catalog.find("configs", name).read_text(encoding="utf-8"))
        for name in catalog.names("configs")
    }
    return {
        "recipes": described("export/recipes"),
        "targets": described("devices/profiles"),
        "configs": configs,
        "teachers": dict.fromkeys(TEACHERS, ""),
        "formats": dict.fromkeys(FORMATS, ""),
    }
