"""The tables of a plan: what a run will take, and beside it what it took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.table import Table

from fdd_edge.cli.rich_table import Name, empty_table, print_table

if TYPE_CHECKING:
    from fdd_edge.planning import Compared, Figure, Unit

__all__ = ["format_figure", "format_span", "print_compared", "print_plan"]

_MINUTE, _HOUR = 60.0, 3600.0


def print_plan(figures: Sequence[Figure]) -> None:
    """Print the figures of a plan, with where each is from."""
    table = _table("plan")
    table.add_column("expected", justify="right", no_wrap=True)
    table.add_column("from")
    for group, rows in groupby(figures, key=lambda figure: figure.name.partition(".")[0]):
        table.add_section()
        for number, figure in enumerate(rows):
            label = figure.name.partition(".")[2]
            table.add_row(
                "" if number else group, Name(label), format_span(figure.unit, figure.low, figure.high), figure.basis
            )
    print_table(table)


def print_compared(rows: Sequence[Compared]) -> None:
    """Print the figures of a plan beside the real ones."""
    table = _table("planned and real")
    for name in ("planned", "real", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    for group, compared in groupby(rows, key=lambda one: one.name.partition(".")[0]):
        table.add_section()
        for number, one in enumerate(compared):
            table.add_row(
                "" if number else group,
                Name(one.name.partition(".")[2]),
                format_span(one.unit, one.low, one.high),
                format_figure(one.unit, one.real),
                "-" if one.ratio is None else f"{one.ratio:.2f}",
            )
    print_table(table)


def _table(title: str) -> Table:
    table = empty_table(title)
    table.add_column("")
    table.add_column("")
    return table


def format_span(unit: Unit, low: float, high: float) -> str:
    """Return a number, or two with a dash between them, in the unit of the larger one."""
    scale, name, digits = _unit(unit, high)
    first, second = (f"{value / scale:,.{digits}f}" for value in (low, high))
    return f"{second}{name}" if first == second else f"{first}-{second}{name}"


def format_figure(unit: Unit, value: float) -> str:
    """Return a number with its unit."""
    return format_span(unit, value, value)


def _unit(unit: Unit, value: float) -> tuple[float, str, int]:
    """Return what a number is divided by, the name of the unit, and the digits after the point."""
    chosen: dict[str, Callable[[], tuple[float, str, int]]] = {
        "seconds": lambda: _unit_of_time(value),
        "bytes": lambda: (1e9, " GB", 1) if value >= 1e9 else (1e6, " MB", 1 if value < 1e7 else 0),
        "cost": lambda: (1.0, "", 2 if value >= 0.1 or value == 0 else 4),
    }
    return chosen[unit]() if unit in chosen else (1.0, "", 0)


def _unit_of_time(seconds: float) -> tuple[float, str, int]:
    if seconds >= _HOUR:
        return _HOUR, " h", 1
    return (_MINUTE, " min", 0 if seconds >= 10 * _MINUTE else 1) if seconds >= _MINUTE else (1.0, " s", 0)
