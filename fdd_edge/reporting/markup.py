"""HTML and SVG as values: every text is escaped, unless it was built here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from fdd_edge.reporting.shown_text import shown

__all__ = ["Markup", "element", "joined"]

_WITHOUT_END = {"meta", "link"}


class Markup(str):
    """HTML that is complete; any other string is somebody's text."""

    __slots__ = ()


def element(name: str, /, *content: str, **attributes: str | float | None) -> Markup:
    """Return an element.

    Args:
        name: Of the element.
        content: What is in it: markup as it is, texts escaped, as ``shown_text`` shows them.
        attributes: Those that are None are left out; ``class_`` and ``aria_label`` are written as HTML spells them.
    """
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_text(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in _WITHOUT_END else f"</{name}>"
    return Markup(f"<{name}{named}>{joined(content)}{end}")


def joined(content: Iterable[str]) -> Markup:
    """Return several pieces as one."""
    return Markup("".join(part if isinstance(part, Markup) else _text(part) for part in content))


def _text(text: str) -> str:
    return escape(shown(text))


def _number(value: str | float) -> str:
    """Return a value as an attribute has it: a tenth of a pixel is enough."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
