"""Printing text on stdout: as wide as the terminal, 80 columns elsewhere, long lines wrapped under their label."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import click

from fdd_edge.visible import visible

__all__ = ["WIDTH", "columns", "labelled", "print_labelled", "print_lines", "print_pages", "print_text", "wrapped"]

WIDTH = 80
"""Width for files and pipes, which have no width of their own."""

_wrapped = partial(textwrap.wrap, break_long_words=False, break_on_hyphens=False)


def print_labelled(rows: Iterable[tuple[str, str]], *, width: int) -> None:
    """Print lines of a label and a text; the text wraps next to the label.

    Args:
        rows: Label and text; an empty label continues the one above.
        width: Columns of the labels.
    """
    print_lines(*labelled(rows, width=width))


def labelled(rows: Iterable[tuple[str, str]], *, width: int) -> Iterator[str]:
    """Yield the lines that ``print_labelled`` prints."""
    room = max(20, columns() - width - 1)
    for label, text in rows:
        for number, line in enumerate(_wrapped(visible(text), room) or [""]):
            yield f"{'' if number else visible(label):<{width}} {line}".rstrip()


def print_text(text: str) -> None:
    """Print a paragraph, wrapped."""
    print_lines(*wrapped(text))


def wrapped(text: str) -> list[str]:
    """Return the lines of a paragraph."""
    return _wrapped(visible(text), columns())


def print_lines(*lines: str) -> None:
    """Print lines as they are: a path that is copied from here must not be broken."""
    for line in lines:
        click.echo(line)


def print_pages(lines: Sequence[str]) -> None:
    """Print lines; in a terminal that is too short for them, in the user's pager."""
    if sys.stdout.isatty() and len(lines) >= shutil.get_terminal_size((WIDTH, 24)).lines:
        # A pager is a stream of its own, past ours that shows control characters as escapes.
        click.echo_via_pager(f"{visible(line)}\n" for line in lines)
    else:
        print_lines(*lines)


def columns() -> int:
    """Return the width to print in."""
    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
