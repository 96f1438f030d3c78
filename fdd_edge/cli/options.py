"""Options that several commands share."""

from __future__ import annotations

import click

__all__ = ["refuse_device"]


def refuse_device(context: click.Context, option: click.Parameter, value: str | None) -> None:
    """Answer ``--device``, which other tools have, with the option that is meant."""
    if value is not None:
        raise click.UsageError("There is no --device: name a target, as in --target local (see `fdd-edge ls targets`).")
