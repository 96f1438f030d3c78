"""How rows of evaluations are shown: question, expected answer, program and answer, one below or next to the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap

from fdd_edge.cli.console import columns, labelled, wrapped
from fdd_edge.evaluation import ScoredReply
from fdd_edge.ondevice.verdicts import format_number
from fdd_edge.pipeline.shown_rows import RowsResult, ShownRow
from fdd_edge.visible import visible

__all__ = ["row_as_lines", "rows_as_lines"]

_WIDTH = 9
"""Columns of the labels."""
_MOST_LINES = 40
"""Lines of a reply that are shown; one that repeats itself may have thousands."""


def rows_as_lines(found: RowsResult) -> Iterator[str]:
    """Yield the lines that show rows, and how many there are."""
    names = found.artifact if found.against is None else f"{found.artifact} (left) and {found.against} (right)"
    matching = "" if found.found == found.total else f"{found.found} of "
    yield from wrapped(f"{names}: {matching}{found.total} {'reply' if found.total == 1 else 'replies'}")
    last = None
    several = len({row.artifact for row in found.rows}) > 1
    for row in found.rows:
        if (place := (row.artifact, row.dataset)) != last:
            yield f"\n{visible(f'{row.dataset}, {row.artifact}' if several else row.dataset)}"
        last = place
        yield ""
        yield from row_as_lines(row)
    if (left := found.found - len(found.rows)) > 0:
        yield f"\n{left} more; see them without --n, or with a larger one"


def row_as_lines(row: ShownRow) -> Iterator[str]:
    """Yield the lines that show one row."""
    reply = row.reply
    name = reply.problem_id if reply.sample == 0 else f"{reply.problem_id}, sample {reply.sample}"
    label = "" if row.label is None else f", labelled {row.label}"
    other = "" if row.against is None else f" and {row.against.verdict}"
    yield from wrapped(f"{name}: {reply.verdict}{other}{label}")
    asked = [("question", reply.question or "not stored: an earlier version of fdd-edge wrote this")]
    if reply.gold is not None:
        asked.append(("expected", format_number(reply.gold)))
    yield from labelled(asked, width=_WIDTH)
    if row.against is None:
        lines = _lines_of(reply)
        what = "program" if reply.program is not None else "reply"
        yield from labelled(
            [(what if i == 0 else "", line) for i, line in enumerate(lines)] + [("answer", reply.explained())],
            width=_WIDTH,
        )
    else:
        yield from _side_by_side("replies", _lines_of(reply), _lines_of(row.against))
        yield from _side_by_side("answers", [reply.explained()], [row.against.explained()])


def _lines_of(reply: ScoredReply) -> list[str]:
    """Return a reply's program, or its text if it holds none, as lines."""
    text = reply.text.strip() if reply.program is None else reply.program
    lines = text.expandtabs(4).split("\n")
    left = len(lines) - _MOST_LINES
    return lines if left <= 0 else [*lines[:_MOST_LINES], f"... {left} more lines"]


def _side_by_side(label: str, left: Sequence[str], right: Sequence[str]) -> Iterator[str]:
    """Yield two texts next to each other, each in half of what the label leaves."""
    room = max(10, (columns() - _WIDTH - 1 - 3) // 2)
    sides = [[part for line in side for part in _broken(line, room)] for side in (left, right)]
    for number, (one, other) in enumerate(zip_longest(*sides, fillvalue="")):
        yield f"{'' if number else label:<{_WIDTH}} {one:<{room}} | {other}".rstrip()


def _broken(line: str, room: int) -> list[str]:
    return wrap(visible(line), room, break_on_hyphens=False) or [""]
