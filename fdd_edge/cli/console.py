"""Printing on stdout: as wide as the terminal, 80 columns elsewhere, long lines wrapped under their label."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["print_labelled", "print_lines", "print_table"]

_WIDTH = 80
"""Columns of files and pipes, where there is no terminal to ask."""


def print_table(table: Table) -> None:
    """Print a table without trailing blanks; in colour only on a terminal."""
    console = _console()
    with console.capture() as captured:
        console.print(table, highlight=False)
    click.echo("\n".join(line.rstrip() for line in captured.get().split("\n")), nl=False)


def print_labelled(rows: Iterable[tuple[str, str]], *, width: int) -> None:
    """Print lines of a label and a text; the text wraps next to the label.

    Args:
        rows: Label and text; an empty label continues the one above.
        width: Columns of the labels.
    """
    columns = _console().width
    for label, text in rows:
        lines = textwrap.wrap(text, max(20, columns - width - 1), break_long_words=False, break_on_hyphens=False)
        for number, line in enumerate(lines or [""]):
            click.echo(f"{'' if number else label:<{width}} {line}".rstrip())


def print_lines(*lines: str | Text) -> None:
    """Print lines as they are: a path that is copied from here must not be broken."""
    for line in lines:
        click.echo(str(line))


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH, color_system=None)
