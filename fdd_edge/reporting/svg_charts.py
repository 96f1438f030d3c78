"""The charts of a report.

They are written here because a page without scripts needs little: four kinds of chart, in which every share has its
interval. A library would bring ten times the bytes, and colours that do not follow the reader's theme.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from statistics import fmean
from typing import NamedTuple, TypeVar

from fdd_edge.reporting.markup import Markup, element, joined
from fdd_edge.reporting.svg_axes import (
    BOTTOM,
    COLOURS,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    canvas,
    drawn_mark,
    frame,
    label,
)

__all__ = ["Curve", "Flip", "Series", "Share", "Spot", "curves", "flips", "scatter", "smoothed", "whiskers"]

_MOST_POINTS = 120
"""Of a curve: a training has thousands of steps, a chart has some hundred pixels."""

_FLIP_HEIGHT = 34

_MARK = 11
"""Pixels that a whisker takes."""

_Pair = TypeVar("_Pair", bound=tuple[float, float])


class Share(NamedTuple):
    """A share with its interval."""

    part: float
    low: float
    high: float


class Series(NamedTuple):
    """The shares of one file in several groups; None where it has none."""

    name: str
    shares: Sequence[Share | None]


class Spot(NamedTuple):
    """A file: what it costs, and its share."""

    name: str
    cost: float
    share: Share


class Curve(NamedTuple):
    """Losses by step, see ``smoothed``, and those of the validation problems."""

    losses: Sequence[tuple[float, float]]
    valid: Sequence[tuple[int, float]]


class Flip(NamedTuple):
    """What changed between two rounds on a set."""

    name: str
    lost: int
    gained: int
    note: str


def _in_percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _upright(highest: float) -> Scale:
    return Scale.from_zero(highest, BOTTOM, TOP, most=1.0)


def whiskers(groups: Sequence[str], series: Sequence[Series], title: str, description: str, *, apart: int) -> Markup:
    """Draw shares with their intervals, group by group.

    Args:
        groups: Names of the groups, such as rounds.
        series: What was measured in each.
        title: For screen readers.
        description: Likewise.
        apart: How many of the first groups are not joined with the others by a line.
    """
    shares = [share for one in series for share in one.shares if share is not None]
    y = _upright(max(share.high for share in shares))
    step = (RIGHT - LEFT) / len(groups)
    every = 1 + (len(groups) - 1) // 6
    names = [
        label(LEFT + step * (n + 0.5), BOTTOM + 17, name)
        for n, name in enumerate(groups)
        if n % every == 0 or n < apart
    ]
    drawn = []
    for number, one in enumerate(series):
        shift = (number - (len(series) - 1) / 2) * min(14.0, 0.6 * step / len(series))
        places = [
            (LEFT + step * (n + 0.5) + shift, share, n) for n, share in enumerate(one.shares) if share is not None
        ]
        path = " ".join(f"{x:.1f},{y.at(share.part):.1f}" for x, share, n in places if n >= apart)
        drawn.append(
            element(
                "g",
                element("polyline", points=path, class_="link"),
                *(part for x, share, _ in places for part in _whisker(number, x, y, share)),
                *(
                    label(x + 8, y.at(share.part) - 5, f"{100 * share.part:.1f}", anchor="start", kind="value")
                    for x, share, _ in places
                    if len(series) == 1 and len(groups) <= 5
                ),
                class_=f"k{number % COLOURS}",
            )
        )
    x = Scale(0, 1, LEFT, RIGHT, ())
    return canvas([frame(x, y, x_title="", x_format=None, y_format=_in_percent), *names, *drawn], title, description)


def _whisker(number: int, x: float, y: Scale, share: Share) -> Iterator[Markup]:
    low, high = y.at(share.low), y.at(share.high)
    yield element(
        "path", d=f"M{x:.1f} {low:.1f}V{high:.1f}M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} {high:.1f}h8", class_="bar"
    )
    yield drawn_mark(number, x, y.at(share.part))


def scatter(spots: Sequence[Spot], axis: str, written: Callable[[float], str], title: str, description: str) -> Markup:
    """Draw shares against what the files cost.

    Args:
        spots: The files, in the order of the legend.
        axis: What the cost is.
        written: How it is written.
        title: For screen readers.
        description: Likewise.
    """
    costs = [spot.cost for spot in spots]
    y = _upright(max(spot.share.high for spot in spots))
    spread = min(costs) > 0 and max(costs) / min(costs) > 20
    start, end = LEFT + 8, RIGHT - 8
    x = Scale.logarithmic(min(costs), max(costs), start, end) if spread else Scale.from_zero(max(costs), start, end)
    drawn = [
        element("g", *_whisker(number, place, y, spot.share), class_=f"k{number % COLOURS}")
        for number, (spot, place) in enumerate(zip(spots, _beside([x.at(cost) for cost in costs]), strict=True))
    ]
    return canvas([frame(x, y, x_title=axis, x_format=written, y_format=_in_percent), *drawn], title, description)


def _beside(places: Sequence[float]) -> list[float]:
    """Return places where whiskers that would cover each other stand next to each other."""
    taken: list[float] = []
    for place in places:
        near = sum(abs(place - other) < _MARK for other in places[: len(taken)])
        taken.append(place + _MARK * ((near + 1) // 2) * (-1 if near % 2 else 1))
    return taken


def curves(curve: Curve, ends: tuple[float, float], title: str, description: str) -> Markup:
    """Draw losses by step, and the validation losses.

    Args:
        curve: The losses.
        ends: The lowest and the highest loss of all charts that are compared with this one.
        title: For screen readers.
        description: Likewise.
    """
    x = Scale.from_zero(max(step for step, _ in (*curve.losses, *curve.valid)), LEFT, RIGHT)
    y = Scale.around(*ends, BOTTOM, TOP)
    path = " ".join(f"{x.at(step):.1f},{y.at(loss):.1f}" for step, loss in curve.losses)
    marks = joined(drawn_mark(1, x.at(step), y.at(loss)) for step, loss in _thinned(curve.valid))
    drawn = [
        element("g", element("polyline", points=path, class_="line"), class_="k0"),
        element("g", marks, class_="k1"),
    ]
    axes = frame(x, y, x_title="step", x_format=lambda tick: f"{tick:,.0f}", y_format=lambda tick: f"{tick:.3g}")
    return canvas([axes, *drawn], title, description)


def smoothed(losses: Sequence[float]) -> list[tuple[float, float]]:
    """Return the mean loss of neighbouring steps, each with their middle: a single small batch says little.

    Where a training diverged, it has no loss that could be drawn.
    """
    width = max(1, len(losses) // 30)
    starts = range(0, len(losses), max(1, width // 4))
    parts = ((start, losses[start : start + width]) for start in starts)
    found = [(start + (len(part) + 1) / 2, fmean(part)) for start, part in parts if part and all(map(isfinite, part))]
    return _thinned([pair for pair in found if pair[0] + (width - 1) / 2 <= len(losses)] or found)


def _thinned(pairs: Sequence[_Pair]) -> list[_Pair]:
    every = 1 + len(pairs) // _MOST_POINTS
    return [*pairs[:-1][::every], *pairs[-1:]]


def flips(rows: Sequence[Flip], title: str, description: str) -> Markup:
    """Draw how many problems were lost (to the left) and gained (to the right), one row for each comparison."""
    most = max((max(row.lost, row.gained) for row in rows), default=0) or 1
    middle, half = WIDTH / 2, WIDTH / 2 - 40
    height = _FLIP_HEIGHT * len(rows) + 8
    drawn = []
    for number, row in enumerate(rows):
        top = _FLIP_HEIGHT * number + 4
        lost, gained = half * row.lost / most, half * row.gained / most
        drawn += [
            label(2, top + 10, row.name, anchor="start"),
            label(WIDTH - 2, top + 10, row.note, anchor="end"),
            element("rect", x=middle - lost, y=top + 15, width=lost, height=11, class_="lost"),
            element("rect", x=middle, y=top + 15, width=gained, height=11, class_="gained"),
            label(middle - lost - 5, top + 25, f"\u2212{row.lost}", anchor="end", kind="value"),
            label(middle + gained + 5, top + 25, f"+{row.gained}", anchor="start", kind="value"),
            element("line", x1=middle, x2=middle, y1=top + 13, y2=top + 28, class_="base"),
        ]
    return canvas(drawn, title, description, height=height)
