"""Printing text on stdout: as wide as the terminal, 80 columns elsewhere, long lines wrapped under their label."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable
from functools import partial

import click

from fdd_edge.visible import visible

__all__ = ["WIDTH", "print_labelled", "print_lines", "print_text"]

WIDTH = 80
"""Width for files and pipes, which have no width of their own."""

_wrapped = partial(textwrap.wrap, break_long_words=False, break_on_hyphens=False)


def print_labelled(rows: Iterable[tuple[str, str]], *, width: int) -> None:
    """Print lines of a label and a text; the text wraps next to the label.

    Args:
        rows: Label and text; an empty label continues the one above.
        width: Columns of the labels.
    """
    columns = _columns()
    for label, text in rows:
        lines = _wrapped(visible(text), max(20, columns - width - 1))
        for number, line in enumerate(lines or [""]):
            click.echo(f"{'' if number else visible(label):<{width}} {line}".rstrip())


def print_text(text: str) -> None:
    """Print a paragraph, wrapped."""
    print_lines(*_wrapped(visible(text), _columns()))


def print_lines(*lines: str) -> None:
    """Print lines as they are: a path that is copied from here must not be broken."""
    for line in lines:
        click.echo(line)


def _columns() -> int:
    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
