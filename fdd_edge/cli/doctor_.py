"""``fdd-edge doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fdd_edge.cli.click_options import Command, json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fdd_edge.targets.diagnostics import Check


@click.command("doctor", cls=Command)
@click.option("--target", metavar="NAME", help="Check this target instead of this machine.")
@json_option()
def command(target: str | None, as_json: bool) -> None:
    """Check this machine or a target; print the command that fixes each problem.

    Exits with code 6 if a target has a problem.
    """
    import json

    from fdd_edge import api
    from fdd_edge.errors import TargetError

    found = api.doctor(target)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        _print(found.checks)
    if target is not None and not found.ok:
        raise SystemExit(TargetError.exit_code)


def _print(checks: Sequence[Check]) -> None:
    width = max(len(check.what) for check in checks)
    for check in checks:
        mark = "ok" if check.ok else "--"
        click.echo(f"{mark}  {check.what:<{width}}  {check.found}".rstrip())
    fixes: dict[str, list[str]] = {}
    for check in checks:
        if check.fix is not None:
            fixes.setdefault(check.fix, []).append(check.what)
    if fixes:
        click.echo("\nTo fix:")
    for fix, names in fixes.items():
        click.echo(f"  {', '.join(names)}: {fix}")
