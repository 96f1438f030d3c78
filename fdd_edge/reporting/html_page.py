"""A report as one HTML file: no script, nothing that is loaded, readable on a phone, in the dark and on paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from fdd_edge.reporting.markup import Markup, element, joined
from fdd_edge.reporting.page_parts import (
    Charts,
    Drawing,
    Flow,
    Listing,
    Page,
    Part,
    Replies,
    Reply,
    Section,
    Stack,
    Table,
)
from fdd_edge.reporting.shown_text import cut
from fdd_edge.reporting.svg_axes import COLOURS, drawn_mark

__all__ = ["MARK", "html_page"]

MARK = "fdd-edge report"
"""The generator that a report names, by which it is known."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Even if a text became markup, a browser would load and run nothing."""


def html_page(page: Page) -> str:
    """Return a report as HTML."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=MARK),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        element("title", page.title),
        element("link", rel="icon", href="data:,"),  # or a server would be asked for one
        element("style", _style()),
    )
    body = element(
        "body",
        element("header", *_top(page)),
        element("main", *(part for section in page.sections for part in _section(section))),
        element("footer", element("p", f"Made by {page.made_by}.", class_="soft")),
    )
    return f'<!doctype html>\n<html lang="en">\n{head}\n{body}\n</html>\n'


@cache
def _style() -> Markup:
    return Markup(files("fdd_edge.reporting").joinpath("page.css").read_text(encoding="utf-8"))


def _top(page: Page) -> Iterator[Markup]:
    yield element("h1", page.title)
    yield element("p", page.lead, class_="lead")
    if page.tiles:
        tiles = (element("div", element("dt", what), element("dd", figure)) for figure, what in page.tiles)
        yield element("dl", *tiles, class_="tiles")
    yield from (element("p", note, class_="note") for note in page.notes)
    links = (
        element("li", element("a", section.title, href=f"#{section.id}"))
        for section in page.sections
        if section.level == 2
    )
    yield element("nav", element("ul", *links), aria_label="Contents")


def _section(section: Section) -> Iterator[Markup]:
    yield Markup("\n")
    heading = element(f"h{section.level}", section.title, id=section.id)
    finding = [element("p", section.finding, class_="finding")] if section.finding else []
    yield element("section", heading, *finding, *map(_part, section.parts), aria_labelledby=section.id)


def _part(part: Part) -> Markup:
    match part:
        case Table():
            return _table(part)
        case Charts():
            return element("div", *map(_drawing, part.drawings), class_="charts")
        case Flow():
            return element("div", *(_stacks(*one) for one in part.rounds), class_="rounds")
        case Listing():
            caption = [element("p", f"{part.caption}:", class_="soft")] if part.caption else []
            return joined([*caption, element("pre", part.text, tabindex="0")])
        case Replies():
            return element("details", element("summary", part.title), *map(_reply, part.replies))


def _table(table: Table) -> Markup:
    def kind(column: int) -> str | None:
        return "w" if column < table.texts else None

    head = element("tr", *(element("th", name, scope="col", class_=kind(n)) for n, name in enumerate(table.columns)))
    rows = (
        element("tr", *(element("td", cut(cell), class_=kind(n)) for n, cell in enumerate(row)))
        for row in table.shown_rows
    )
    body = element("table", element("thead", head), element("tbody", *rows))
    # What is wider than the screen is scrolled, with the keyboard too; its caption is not.
    name = f"Table: {', '.join(table.columns)}"
    scrolled = element("div", body, class_="scroll", tabindex="0", role="region", aria_label=name)
    caption = [element("figcaption", table.whole_caption)] if table.whole_caption else []
    return element("figure", scrolled, *caption, class_="table")


def _drawing(drawing: Drawing) -> Markup:
    legend = [_legend(drawing)] if drawing.legend else []
    return element("figure", element("figcaption", drawing.caption), *legend, drawing.svg)


def _legend(drawing: Drawing) -> Markup:
    entries = (
        element(
            "li",
            element("svg", drawn_mark(number, 6, 6), viewBox="0 0 12 12", aria_hidden="true"),
            element("span", name),
            class_=f"k{number % COLOURS}",
        )
        for number, name in enumerate(drawing.legend)
    )
    return element("ul", *entries, class_="legend")


def _stacks(title: str, stacks: Sequence[Stack]) -> Markup:
    return element("figure", element("figcaption", title), *map(_stack, stacks))


def _stack(stack: Stack) -> Markup:
    """Return a bar with its parts, each in the colour of its tone, and their names and numbers below it."""
    shown = [(name, n, tone) for name, n, tone in stack.parts if n]
    start, bars = 0.0, []
    for _, n, tone in shown:
        width = 360 * n / stack.total
        bars.append(element("rect", x=start, y=0, width=max(width - 1.5, 0.8), height=12, class_=tone))
        start += width
    entries = (
        element(
            "li",
            element(
                "svg",
                element("rect", x=1, y=1, width=10, height=10),
                viewBox="0 0 12 12",
                aria_hidden="true",
            ),
            element("span", f"{n:,} {name}"),
            class_=tone,
        )
        for name, n, tone in shown
    )
    bar = element("svg", *bars, viewBox="0 0 360 12", preserveAspectRatio="none", aria_hidden="true")
    title = element("p", stack.name, element("b", f"{stack.total:,}"))
    return element("div", title, bar, element("ul", *entries, class_="legend"), class_="stack")


def _reply(reply: Reply) -> Markup:
    what = "Program" if reply.is_program else "Reply, without a program"
    return element(
        "div",
        element("div", element("h5", f"Question ({reply.name})"), element("p", reply.question)),
        element("div", element("h5", what), element("pre", reply.program)),
        element(
            "div",
            element("h5", "Answer"),
            element("p", reply.answer),
            element("h5", "Expected"),
            element("p", reply.expected),
        ),
        class_="reply",
    )
