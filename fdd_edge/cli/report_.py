"""``fdd-edge report``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fdd_edge.cli.click_options import Command, json_option

if TYPE_CHECKING:
    from fdd_edge.reporting import ReportFormat


@click.command("report", cls=Command)
@click.argument("runs", metavar="RUN [RUN ...]", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="FILE", help="The file; an earlier report is replaced.")
@click.option(
    "--format", type=click.Choice(["html", "md"]), help="Default: md for a FILE that ends with .md, else html."
)
@click.option("--force", is_flag=True, help="Replace a FILE that is not a report.")
@json_option()
def command(runs: tuple[str, ...], output: str, format: ReportFormat | None, force: bool, as_json: bool) -> None:
    """Write a report on runs: one HTML file without scripts, or Markdown.

    What was made and how good it is; accuracy by round, set, artifact and target; what each round gained and lost; what
    became of the problems; losses, costs, certificates, replies, data and licenses; and the commands that make it
    again. Of several runs, the others are compared with the first. The page loads nothing and can be read on a phone,
    in the dark and on paper; `--format md` is for a repository's README.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.console import print_text

    made = api.report(runs, output, format=format, force=force)
    if as_json:
        click.echo(json.dumps(made.to_dict()))
        return
    hint = " Open it in a browser; it needs no network." if made.format == "html" else ""
    print_text(f"{made.path} is written ({made.bytes / 1000:,.0f} kB).{hint}")
