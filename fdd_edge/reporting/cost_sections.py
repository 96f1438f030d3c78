"""What the artifacts cost, and what the teacher did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from fdd_edge.operations.bench import Measurement
from fdd_edge.operations.figures import EvaluationFigures
from fdd_edge.pipeline.ledger_report import LedgerReport, money
from fdd_edge.reporting.accuracy_section import artifact_name
from fdd_edge.reporting.page_parts import Charts, Drawing, Section, Table
from fdd_edge.reporting.run_facts import RunFacts
from fdd_edge.reporting.shown_numbers import counted, megabytes, percent, rate, share
from fdd_edge.reporting.svg_axes import COLOURS
from fdd_edge.reporting.svg_charts import Share, Spot, scatter

__all__ = ["cost", "teacher"]

_EMULATED = "*"


class _Axis(NamedTuple):
    """A cost: the title of its axis, its unit, how it is read, and what the files with the least and most of it are."""

    title: str
    unit: str
    read: Callable[[Measurement], float | None]
    least: str
    most: str


_SIZE = _Axis("MB", "MB", lambda one: one.bytes / 1e6, "is the smallest file", "is the largest")
_MEMORY = _Axis("peak MB", "MB", lambda one: one.peak_rss_bytes / 1e6, "takes the least memory", "takes the most")
_SPEED = _Axis("tokens/s", "tokens/s", lambda one: one.decode_tokens_per_second, "is the slowest", "is the fastest")


def cost(run: RunFacts) -> Section:
    """Return the section of bytes, memory and speed against accuracy, of the round that is reported on."""
    summary, dataset = run.shown.summary, run.sets[0]
    shares = {(one.recipe, one.target): one for one in summary.evaluations if one.dataset == dataset}
    rows = [_cost_row(one, shares.get((one.recipe or "", one.target))) for one in summary.measured]
    heads: tuple[str, ...] = (
        "artifact",
        dataset,
        "MB",
        "peak MB",
        "load s",
        "1st token s",
        "tokens/s",
        "batched tokens/s",
        "joules/token",
    )
    if all(one.joules_per_token is None for one in summary.measured):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    caption = (
        f"Round {run.shown.number}. Peak MB: most memory the runtime held; tokens/s: one reply at a time; batched: "
        f"{summary.measured[0].batch_size if summary.measured else 16} replies together."
    )
    if any(one.emulated for one in summary.measured):
        caption += f" {_EMULATED}: measured in an emulator, so it is not the board’s."
    known = [one for one in summary.measured if (one.recipe or "", one.target) in shares]
    # What an emulator takes says nothing about the board, so it gets no place on an axis of speed or memory.
    timed = [one for one in known if not one.emulated]
    drawings = [
        *_scattered(known, shares, _SIZE, dataset),
        *_scattered(timed, shares, _MEMORY, dataset),
        *_scattered(timed, shares, _SPEED, dataset),
    ]
    if not summary.measured:
        return Section("cost", "Size, memory and speed", "Nothing was measured.")
    return Section(
        "cost",
        "Size, memory and speed",
        _cheapest(run, summary.measured),
        [*([Charts(drawings)] if drawings else []), Table(heads, rows, caption)],
    )


def _cheapest(run: RunFacts, measured: Sequence[Measurement]) -> str:
    own = next((one for one in measured if (one.recipe, one.target) == (run.judge, run.target)), measured[0])
    name = artifact_name(own.recipe or "the file", own.target)
    text = f"{name} is {megabytes(own.bytes)} MB, takes {megabytes(own.peak_rss_bytes)} MB of memory"
    if own.decode_tokens_per_second is not None:
        text += f", and writes {rate(own.decode_tokens_per_second)} tokens a second"
    text += " in an emulator." if own.emulated else f" on {own.device.board or own.device.cpu}."
    return text if len(measured) > 1 else f"{text} It is the only artifact, so there is nothing to compare it with."


def _cost_row(one: Measurement, figures: EvaluationFigures | None) -> tuple[str, ...]:
    mark = _EMULATED if one.emulated else ""
    return (
        artifact_name(one.recipe or "–", one.target),
        "–" if figures is None else share(figures.correct / figures.n, figures.ci95),
        megabytes(one.bytes),
        megabytes(one.peak_rss_bytes) + mark,
        f"{one.load_seconds:.2f}{mark}",
        f"{one.first_token_seconds:.3f}{mark}",
        rate(one.decode_tokens_per_second) + mark,
        rate(one.batch_tokens_per_second) + mark,
        "–" if one.joules_per_token is None else f"{one.joules_per_token:.3g}",
    )


def _scattered(
    measured: Sequence[Measurement],
    shares: dict[tuple[str, str], EvaluationFigures],
    axis: _Axis,
    dataset: str,
) -> Iterator[Drawing]:
    """Yield a chart of shares against a cost, if there are several to compare."""
    found = {
        artifact_name(one.recipe or "", one.target): (value, shares[one.recipe or "", one.target])
        for one in measured[:COLOURS]
        if (value := axis.read(one)) is not None
    }
    spots = [
        Spot(name, value, Share(figures.correct / figures.n, *figures.ci95)) for name, (value, figures) in found.items()
    ]
    if len({spot.cost for spot in spots}) < 2:
        return
    said = "; ".join(
        f"{spot.name}: {_short(spot.cost)} {axis.unit}, {share(spot.share.part, spot.share[1:])}" for spot in spots
    )
    least, most = (end(spots, key=lambda spot: spot.cost) for end in (min, max))
    caption = "; ".join(
        f"{spot.name} {what} ({_short(spot.cost)} {axis.unit}) and solves {percent(spot.share.part)}"
        for spot, what in ((least, axis.least), (most, axis.most))
    )
    drawn = scatter(spots, axis.title, _short, f"Share of {dataset} solved against {axis.title}.", said)
    yield Drawing(f"{caption}.", said, drawn, [spot.name for spot in spots])


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.2g}"


def teacher(run: RunFacts) -> Section | None:
    """Return the section of what language models cost; None if none was asked."""
    calls = run.calls
    if calls is None or not calls.groups:
        return None
    rows = [
        (
            str(one.round),
            one.purpose,
            one.teacher,
            ", ".join(one.models) or "–",
            *(f"{n:,}" for n in (one.calls, one.found, one.failed, one.input_tokens, one.output_tokens)),
            money(one.cost),
            f"{one.accepted:,}",
        )
        for one in calls.groups
    ]
    heads = (
        "round",
        "purpose",
        "teacher",
        "model",
        "paid",
        "found",
        "failed",
        "tokens in",
        "tokens out",
        "cost",
        "accepted",
    )
    caption = (
        "Paid: replies that this run paid for; found: replies that had been paid before. Costs are in the currency of "
        "the prices."
    )
    return Section("teacher", "What the teacher cost", _spent(calls), [Table(heads, rows, caption, texts=4)])


def _spent(calls: LedgerReport) -> str:
    asked, accepted = counted(calls.calls, "call"), counted(calls.accepted, "accepted problem")
    if calls.cost is None:
        return f"{asked} for {accepted}; no price is known for a model."
    each = f", {money(calls.cost / calls.accepted)} each" if calls.accepted else ""
    return f"{asked} cost {money(calls.cost)} and brought {accepted}{each}."
