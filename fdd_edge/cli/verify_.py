"""``fdd-edge verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fdd_edge.cli.click_options import Command, json_option

if TYPE_CHECKING:
    from fdd_edge.pipeline.findings import Finding, Verification

_MARKS = {True: "ok", None: "--", False: "NO"}


@click.command("verify", cls=Command)
@click.argument("path", metavar="RUN|FOLDER")
@click.option("--reference", metavar="MODEL", help="The float model that the artifacts in FOLDER were exported from.")
@json_option()
def command(path: str, reference: str | None, as_json: bool) -> None:
    """Check that a run or an exported folder is as it was written, down to the bytes of its artifacts.

    RUN is a run, or a folder of one, such as RUN/best; FOLDER is one that `fdd-edge export` wrote. Hashes are compared,
    artifacts are made again from their float models, and certificates must be of the files next to them. A line begins
    with ok if something holds, and with -- if that cannot be found out here. The first thing that does not hold is on
    the last line, which begins with NO; the exit code is then 4. Nothing is written to the folder.
    """
    import json

    from fdd_edge import api
    from fdd_edge.errors import ParityError

    found = api.verify(path, reference=reference, on_finding=(lambda finding: None) if as_json else _print_finding)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    elif found.ok:
        _print_end(found)
    if not found.ok:
        lie = found[-1]
        message = f"{lie.what} {lie.says}. {lie.fix}" if as_json else str(lie.fix)
        raise ParityError(message.replace("\n", "\\n"))  # a stranger's file name may hold a line break


def _print_finding(finding: Finding) -> None:
    from fdd_edge.cli.console import print_lines
    from fdd_edge.visible import visible

    line = f"{_MARKS[finding.holds]}  {finding.what}: {finding.says}"
    print_lines(visible(line).replace("\n", "\\n"))  # one line each, whatever a stranger's file is called


def _print_end(found: Verification) -> None:
    from fdd_edge.cli.console import print_lines, print_text

    n, unknown = len(found), len(found.unknown)
    not_checked = f"; {unknown} of {n} things could not be checked here" if unknown else ""
    print_lines("")
    print_text(f"Everything that was checked is as it was written{not_checked}.")
