"""Printing tables on stdout with rich: as wide as the terminal, 80 columns elsewhere, in colour only on a terminal.

Cells are text: brackets in them are not rich's markup, and control characters are shown as escapes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from fdd_edge.cli.console import WIDTH
from fdd_edge.terminal import styled
from fdd_edge.visible import visible

__all__ = ["Name", "empty_table", "print_styled", "print_table"]

_PIECES = re.compile(r"[^-_/.]*[-_/.]+|[^-_/.]+")
"""The pieces of a name, each with the separators that end it."""


class Name:
    """A table cell for a name such as `gguf-q4_0 on rpi5-emulated`, which is broken only after `-`, `_`, `/` or `.`."""

    def __init__(self, text: str) -> None:
        self.text = visible(text)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(max(map(len, _PIECES.findall(self.text)), default=0), len(self.text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield Text("\n".join(_broken(self.text, options.max_width)))


class _PlainConsole(Console):
    """A console to which every string is text."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as it is shown."""
        return Text(visible(text), style=options.get("style") or "", justify=options.get("justify"))


def empty_table(title: str | None = None) -> Table:
    """Return a table without a border, which would not fit into 80 columns."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )


def print_table(table: Table) -> None:
    """Print a table without trailing blanks."""
    _print(table)


def print_styled(parts: Iterable[RenderableType]) -> None:
    """Print styled texts, wrapped; control characters in them must be shown as escapes already."""
    _print(Group(*parts))


def _print(shown: RenderableType) -> None:
    stdout = styled(sys.stdout)
    console = _PlainConsole(file=stdout)
    if not console.is_terminal:
        console = _PlainConsole(file=stdout, width=WIDTH, color_system=None)
    with console.capture() as captured:
        console.print(shown, highlight=False)
    stdout.write("\n".join(line.rstrip() for line in captured.get().split("\n")))
    stdout.flush()


def _broken(text: str, width: int) -> list[str]:
    """Break a text into lines, between words if possible, and inside a word only after a separator."""
    lines = [""]
    for word in text.split():
        pieces = [word] if len(word) <= width else _PIECES.findall(word)
        for number, piece in enumerate(pieces):
            space = " " if number == 0 and lines[-1] else ""
            if lines[-1] and len(lines[-1]) + len(space) + len(piece) > width:
                lines.append(piece)
            else:
                lines[-1] += space + piece
    return lines
