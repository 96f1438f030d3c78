"""Scales, axes and marks of the charts; colours are those of the page's style, so that they fit its background."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from fdd_edge.reporting.markup import Markup, element, joined

__all__ = [
    "BOTTOM",
    "COLOURS",
    "HEIGHT",
    "LEFT",
    "RIGHT",
    "TOP",
    "WIDTH",
    "Scale",
    "canvas",
    "drawn_mark",
    "frame",
    "label",
]

WIDTH, HEIGHT = 360, 232
"""Of a chart, in pixels of a narrow phone: on a wide page, charts stand next to each other."""

LEFT, RIGHT, TOP, BOTTOM = 46, 344, 14, 196
"""The edges of the part that holds the data."""

COLOURS = 6
"""Series that the style has a colour for, and a mark: nobody tells more apart."""


class Scale(NamedTuple):
    """Where values lie on an axis.

    Attributes:
        low: The value at the start.
        high: The value at the end.
        start: Pixel of the start.
        end: Pixel of the end.
        ticks: The values that are marked.
        is_log: Whether equal ratios are equal distances.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[float]
    is_log: bool = False

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high = (math.log(end) if self.is_log else end for end in (self.low, self.high))
        place = math.log(value) if self.is_log else value
        return self.start + (self.end - self.start) * (place - low) / (high - low)

    @classmethod
    def from_zero(cls, largest: float, start: float, end: float, *, most: float = math.inf) -> Scale:
        """Return a scale from 0 to a round number above the largest value, but not above the most that is possible."""
        largest = largest if largest > 0 else 1.0
        step = _round_step(largest / 4)
        high = min(most, step * math.ceil(largest / step - 1e-9))
        ticks = [step * n for n in range(math.floor(high / step + 1e-9) + 1)]
        return cls(0, high, start, end, ticks)

    @classmethod
    def around(cls, low: float, high: float, start: float, end: float) -> Scale:
        """Return a scale that begins near the lowest value."""
        step = _round_step((high - low) / 4 or abs(high) / 4 or 1.0)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        last = max(last, first + 1)
        return cls(step * first, step * last, start, end, [step * n for n in range(first, last + 1)])

    @classmethod
    def logarithmic(cls, low: float, high: float, start: float, end: float) -> Scale:
        """Return a scale over powers of ten, for positive values that differ by more than a few times."""
        first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
        return cls(10.0**first, 10.0**last, start, end, [10.0**n for n in range(first, last + 1)], is_log=True)


def _round_step(step: float) -> float:
    """Return 1, 2, 2.5 or 5 times a power of ten that is not smaller."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(times * power for times in (1, 2, 2.5, 5, 10) if times * power >= step * (1 - 1e-9))


def canvas(content: Sequence[str], title: str, description: str, *, height: float = HEIGHT) -> Markup:
    """Return a picture with a text for screen readers."""
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *content,
        viewBox=f"0 0 {WIDTH} {height:.0f}",
        role="img",
        aria_label=f"{title} {description}",
    )


def label(x: float, y: float, text: str, *, anchor: str = "middle", kind: str | None = None) -> Markup:
    """Return a text."""
    return element("text", text, x=x, y=y, text_anchor=anchor, class_=kind)


def frame(
    x: Scale,
    y: Scale,
    *,
    x_title: str,
    x_format: Callable[[float], str] | None,
    y_format: Callable[[float], str],
) -> Markup:
    """Return the lines and figures behind the data.

    Args:
        x: The horizontal scale.
        y: The vertical one.
        x_title: What the horizontal one shows; empty if its labels say so.
        x_format: How its figures are written; None for none.
        y_format: How those of the vertical one are.
    """
    rows = [
        part
        for tick in y.ticks
        for part in (
            element(
                "line", x1=LEFT, x2=RIGHT, y1=y.at(tick), y2=y.at(tick), class_="base" if tick == y.low else "grid"
            ),
            label(LEFT - 6, y.at(tick) + 4, y_format(tick), anchor="end"),
        )
    ]
    columns = [label(x.at(tick), BOTTOM + 17, x_format(tick)) for tick in x.ticks] if x_format else []
    return joined([*rows, *columns, label((LEFT + RIGHT) / 2, HEIGHT - 4, x_title)] if x_title else [*rows, *columns])


def drawn_mark(number: int, x: float, y: float, size: float = 4.5) -> Markup:
    """Return the mark of a series: a shape of its own, for those who cannot tell its colour."""
    kind = number % COLOURS
    if kind == 0:
        return element("circle", cx=x, cy=y, r=size)
    shapes: Sequence[Sequence[tuple[float, float]]] = (
        ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
        ((0, -1.2), (1.2, 0.9), (-1.2, 0.9)),
        ((0, 1.2), (1.2, -0.9), (-1.2, -0.9)),
        ((-1.2, -0.5), (1.2, -0.5), (1.2, 0.5), (-1.2, 0.5)),
    )
    corners = " ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in shapes[kind - 1])
    return element("polygon", points=corners)
