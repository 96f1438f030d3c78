"""A report as Markdown, for a repository's README: the same sentences and tables, without charts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from fdd_edge.reporting.page_parts import (
    Charts,
    Flow,
    Listing,
    Page,
    Part,
    Replies,
    Reply,
    Section,
    Table,
)
from fdd_edge.reporting.shown_numbers import in_words
from fdd_edge.reporting.shown_text import cut, shown

__all__ = ["MARKDOWN_MARK", "markdown_page"]

MARKDOWN_MARK = "<!-- fdd-edge report -->"
"""The first line of a report, by which it is known."""

_SPECIAL = re.compile(r"[\\`*{}\[\]<>|~$&]|(?<![^\W_])_|_(?![^\W_])")
_FIRST = re.compile(r"^(\d*)([-+#=.)])")
"""What is a mark of Markdown or HTML anywhere, or at the edge of a word; and what is one at the start of a block."""

_ADDRESSES = {"://": "&#58;//", "www.": "www&#46;", "@": "&#64;"}
"""What GitHub turns into a link, or into a message to somebody, without any mark around it."""


def markdown_page(page: Page) -> str:
    """Return a report as Markdown."""
    blocks = [MARKDOWN_MARK, f"# {_text(page.title)}", f"**{_text(page.lead)}**"]
    blocks += [f"> {_text(note)}" for note in page.notes]
    blocks += [block for section in page.sections for block in _section(section)]
    blocks.append(f"Made by {_text(page.made_by)}.")
    return "\n\n".join(blocks) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"{'#' * section.level} {_text(section.title)}"
    if section.finding:
        yield _text(section.finding)
    for part in section.parts:
        yield from _part(part)


def _part(part: Part) -> Iterator[str]:
    match part:
        case Table():
            yield _table(part)
            if part.whole_caption:
                yield _text(part.whole_caption)
        case Charts():
            yield "\n".join(f"- {_text(drawing.caption)}" for drawing in part.drawings)
        case Flow():
            for name, stacks in part.rounds:
                lines = (
                    f"{one.name}: {one.total:,} ({in_words({what: n for what, n, _ in one.parts})})" for one in stacks
                )
                yield f"{_text(name)}:"
                yield "\n".join(f"- {_text(line)}" for line in lines)
        case Listing():
            yield f"{_text(part.caption)}:"
            yield _fenced(part.text)
        case Replies():
            yield f"**{_text(part.title)}**"
            yield from (block for reply in part.replies for block in _reply(reply))


def _table(table: Table) -> str:
    ends = ["---" if n < table.texts else "---:" for n in range(len(table.columns))]
    rows = [[_inline(cut(cell)) for cell in row] for row in (table.columns, *table.shown_rows)]
    return "\n".join(_row(row) for row in (rows[0], ends, *rows[1:]))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _reply(reply: Reply) -> Iterator[str]:
    yield f"{_text(reply.name)}: {_text(reply.question)}"
    yield _fenced(reply.program)
    yield f"Answer: {_text(reply.answer)}; expected: {_text(reply.expected)}"


def _fenced(text: str) -> str:
    """Return a text that is shown as it is: no run of backticks in it is as long as those around it."""
    block = shown(text)
    longest = max((len(run) for run in re.findall("`+", block)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{block}\n{fence}"


def _text(text: str) -> str:
    """Return a text on one line, for a block of its own, in which nothing is a mark of Markdown or HTML."""
    return _FIRST.sub(r"\1\\\2", _inline(text))


def _inline(text: str) -> str:
    escaped = _SPECIAL.sub(r"\\\g<0>", " ".join(shown(text).split()))
    for plain, safe in _ADDRESSES.items():
        escaped = escaped.replace(plain, safe)
    return escaped
