"""``fdd-edge compare``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from fdd_edge.cli.click_options import Command, json_option

if TYPE_CHECKING:
    from rich.table import Table

    from fdd_edge.pipeline.paired_comparison import Comparison, ComparisonRow, Contestant


@click.command("compare", cls=Command)
@click.argument("paths", metavar="A B [C ...]", nargs=-1, required=True)
@click.option("--flips", is_flag=True, help="Also show the problems that only one of two solves, side by side.")
@click.option(
    "--fail-if-worse",
    type=click.FloatRange(0),
    metavar="POINTS",
    help="Exit with code 3 if the 95 % interval says that one is worse than A by more than this.",
)
@json_option()
def command(paths: tuple[str, ...], flips: bool, fail_if_worse: float | None, as_json: bool) -> None:
    """Compare runs, rounds or evaluations with the first one, on the same problems.

    Each is a run (the judge's artifact in its best round), a round, or a folder that `fdd-edge eval -o` wrote. Problems
    that only one of two was asked are left out, and counted. Per set and for all sets together: both shares, their
    difference with its 95 % interval, and McNemar's exact test, adjusted by Holm's method if there are several
    comparisons. Of several replies to a problem (`eval --samples`), the majority counts as one.
    """
    import json

    from fdd_edge import api
    from fdd_edge.errors import GateError

    found = api.compare(*paths)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        _print(found, flips=flips)
    if fail_if_worse is not None and (worse := found.worse(fail_if_worse)):
        named = "; ".join(
            f"{row.letter} by {-100 * row.difference.ci95.high:.1f} to {-100 * row.difference.ci95.low:.1f} on "
            f"{row.difference.n:,} {'problem' if row.difference.n == 1 else 'problems'}"
            for row in worse
        )
        points = "1 point" if fail_if_worse == 1 else f"{fail_if_worse:g} points"
        raise GateError(f"Worse than A by more than {points}: {named}.")


def _print(found: Comparison, *, flips: bool) -> None:
    from fdd_edge.cli.console import print_labelled, print_lines
    from fdd_edge.cli.rich_table import print_table
    from fdd_edge.cli.row_table import row_as_lines

    print_labelled([(one.letter, f"{one.path}: {one.artifact}{_voting(one)}") for one in found.contestants], width=2)
    print_lines("")
    print_table(_table(found))
    print_lines("")
    print_labelled(_below(found), width=9)
    if flips:
        for letter, rows in found.flips.items():
            for row in rows:
                print_lines("", f"A and {letter}, {row.dataset}", *row_as_lines(row))


def _table(found: Comparison) -> Table:
    from fdd_edge.cli.rich_table import Name, empty_table

    several, adjusts = len(found.contestants) > 2, _adjusts(found)
    table = empty_table()
    table.add_column("set")
    others = ["with", "A", "other"] if several else ["A", "B"]
    for name in (*others, "change", "95 %", "flips", "p", *(["Holm"] if adjusts else [])):
        table.add_column(name, justify="right", no_wrap=True)
    last = found.rows[0].letter
    for row in found.rows:
        if row.letter != last:
            table.add_section()
        last, difference = row.letter, row.difference
        table.add_row(
            Name(f"{row.dataset} ({difference.n})"),
            *([row.letter] if several else []),
            f"{100 * difference.first:.1f}",
            f"{100 * difference.second:.1f}",
            f"{100 * difference.change:+.1f}",
            _interval(row),
            f"+{difference.gained} -{difference.lost}",
            _p(difference.p),
            *([_p(row.p_holm)] if adjusts else []),
        )
    return table


def _voting(one: Contestant) -> str:
    return "" if one.samples < 2 else f", by the majority of {one.samples} replies"


def _adjusts(found: Comparison) -> bool:
    """Return whether there are several comparisons of a kind, so that their p values are adjusted."""
    return len({row.letter for row in found.rows}) < sum(not row.is_pooled for row in found.rows) or (
        len(found.contestants) > 2
    )


def _interval(row: ComparisonRow) -> str:
    return "{:+.1f} to {:+.1f}".format(*(100 * end for end in row.difference.ci95))


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _below(found: Comparison) -> Iterator[tuple[str, str]]:
    """Yield what is said below the table: a label and a text."""
    from fdd_edge.runs.stage_files import VALID

    other = "the other" if len(found.contestants) > 2 else "B"
    adjusted = "; Holm: p, adjusted because there are several comparisons" if _adjusts(found) else ""
    yield (
        "columns",
        f"A, {other}: right answers in percent; change: points, with their 95 % interval; flips: problems that only "
        f"{other} solves (+), or only A (-); p: McNemar's exact test{adjusted}",
    )
    for row in found.overall.values():
        needed = f"to see a change of 2 points, about {row.difference.needed:,} problems are needed"
        yield "result", f"{row.letter} is {row.verdict} on {row.dataset} ({_interval(row)} points); {needed}"
    for row in found.rows:
        if row.only_first or row.only_second:
            only = f"{row.only_first} problems that only A was asked, {row.only_second} that only {row.letter} was"
            yield "left out", f"{row.dataset}: {only}"
    if any(row.dataset == VALID for row in found.rows) and any(row.is_pooled for row in found.rows):
        yield VALID, "chose the best round of each run, so it is not pooled with the other sets"
    for letter, names in found.unmatched.items():
        yield "left out", f"{', '.join(names)}: only {letter} has this set"
    for label, differences in (("config", found.configs), ("settings", found.settings)):
        for key, values in differences.items():
            yield label, f"{key}: {', '.join(f'{_brief(value)} in {letter}' for letter, value in values.items())}"


def _brief(value: object) -> str:
    import json

    text = "not set" if value is None else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
