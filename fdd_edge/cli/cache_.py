"""``fdd-edge cache``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fdd_edge.cli.click_options import Command, json_option

if TYPE_CHECKING:
    from fdd_edge.operations.cached_files import CacheInfo


@click.command("cache", cls=Command)
@click.option("--clean", is_flag=True, help="Delete what can be made again; asks first.")
@click.option("--yes", is_flag=True, help="With --clean: do not ask.")
@json_option()
def command(clean: bool, yes: bool, as_json: bool) -> None:
    """Show what the cache holds, and delete what can be made again.

    The cache is $FDD_EDGE_CACHE, or fdd-edge in ~/.cache. Nothing is deleted while another fdd-edge uses it.
    """
    import json

    from fdd_edge import api

    if yes and not clean:
        raise click.UsageError("--yes goes with --clean.")
    found = api.cache_info()
    if clean:
        if not as_json:
            _print(found)
        if yes or _confirmed(found):
            found = api.clean_cache()
            if not as_json:
                click.echo(f"\n{found.freed / 1e6:.1f} MB freed")
    elif not as_json:
        _print(found)
    if as_json:
        click.echo(json.dumps(found.to_dict()))


def _confirmed(found: CacheInfo) -> bool:
    """Ask whether to delete."""
    import sys

    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask on; add --yes.")
    return click.confirm(f"Delete {found.deletable_bytes / 1e6:.1f} MB in {found.path}?", err=True)


def _print(found: CacheInfo) -> None:
    from fdd_edge.cli.console import print_labelled

    click.echo(f"{found.path}: {found.bytes / 1e6:.1f} MB, {found.deletable_bytes / 1e6:.1f} MB of it can be deleted")
    if found.kinds:
        click.echo("")
    rows = []
    for kind in found:
        answer = f"{kind.description}; {'deletable, ' if kind.deletable else ''}{kind.again}"
        rows.append((f"{kind.name:<14} {kind.bytes / 1e6:>9.1f} MB", answer))
    print_labelled(rows, width=27)
