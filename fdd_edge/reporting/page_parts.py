"""What a report is made of, whatever it is written as: sections of prose, tables, charts, commands and replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fdd_edge.reporting.markup import Markup

__all__ = [
    "MOST_ROWS",
    "Charts",
    "Drawing",
    "Flow",
    "Listing",
    "Page",
    "Part",
    "Replies",
    "Reply",
    "Section",
    "Stack",
    "Table",
]

MOST_ROWS = 400
"""Rows of a table that are shown; the run folder has the others."""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        columns: The headings.
        rows: The cells, as many as there are headings.
        caption: What it says.
        texts: How many columns, from the left, hold words; the others hold figures.
        most_rows: How many rows are shown.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    texts: int = 1
    most_rows: int = MOST_ROWS

    @property
    def shown_rows(self) -> Sequence[Sequence[str]]:
        """The first rows."""
        return self.rows[: self.most_rows]

    @property
    def whole_caption(self) -> str:
        """The caption, and how many rows are left out."""
        left = len(self.rows) - self.most_rows
        return (
            self.caption
            if left <= 0
            else f"{self.caption} Shown are the first {self.most_rows} of {len(self.rows):,} rows."
        )


@dataclass(frozen=True)
class Drawing:
    """A chart.

    Attributes:
        caption: What can be seen in it: the finding, not the axes.
        description: What it shows, for those who cannot see it.
        svg: The picture.
        legend: Names of its series, in the order of their colours; empty if there is one.
    """

    caption: str
    description: str
    svg: Markup
    legend: Sequence[str] = ()


@dataclass(frozen=True)
class Charts:
    """Charts that belong together, next to each other where there is room."""

    drawings: Sequence[Drawing]


@dataclass(frozen=True)
class Stack:
    """A total and what it is made of.

    Attributes:
        name: What is counted.
        parts: Name, number and tone of each part; see ``html_page`` for the tones.
    """

    name: str
    parts: Sequence[tuple[str, int, str]]

    @property
    def total(self) -> int:
        """All of it."""
        return sum(n for _, n, _ in self.parts)


@dataclass(frozen=True)
class Flow:
    """What totals are made of: for each round, one below the other.

    Attributes:
        rounds: Names of the rounds, each with its totals.
    """

    rounds: Sequence[tuple[str, Sequence[Stack]]]


@dataclass(frozen=True)
class Listing:
    """Text that is copied as it is: commands, a config."""

    text: str
    caption: str = ""


@dataclass(frozen=True)
class Reply:
    """One reply.

    Attributes:
        name: Of the problem.
        question: What was asked.
        program: The program of the reply, or all of it if it holds none.
        is_program: Which of the two.
        answer: The answer, or why there is none.
        expected: The right answer.
    """

    name: str
    question: str
    program: str
    is_program: bool
    answer: str
    expected: str


@dataclass(frozen=True)
class Replies:
    """Some replies of one kind, folded.

    Attributes:
        title: What they have in common.
        replies: The replies.
    """

    title: str
    replies: Sequence[Reply]


Part = Table | Charts | Flow | Listing | Replies


@dataclass(frozen=True)
class Section:
    """A section.

    Attributes:
        id: Name of its anchor.
        title: Heading.
        finding: The sentence to remember.
        parts: The rest.
        level: 2 for a section of the page, 3 for one of a chapter.
    """

    id: str
    title: str
    finding: str = ""
    parts: Sequence[Part] = field(default_factory=tuple)
    level: int = 2


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: What it is about.
        lead: What was made and how good it is, in one sentence.
        tiles: The most important figures, each with what it is.
        notes: What to know before reading on.
        sections: The sections.
        made_by: What made it.
    """

    title: str
    lead: str
    tiles: Sequence[tuple[str, str]]
    notes: Sequence[str]
    sections: Sequence[Section]
    made_by: str

    def shortened(self, most_rows: int) -> Page:
        """Return the same with fewer rows of every table."""
        return replace(self, sections=[_shortened(section, most_rows) for section in self.sections])


def _shortened(section: Section, most_rows: int) -> Section:
    parts = [replace(part, most_rows=most_rows) if isinstance(part, Table) else part for part in section.parts]
    return replace(section, parts=parts)
