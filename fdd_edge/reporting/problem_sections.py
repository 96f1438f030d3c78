"""What became of the problems, and how training went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

from fdd_edge.pipeline.round_summary import RoundSummary
from fdd_edge.reporting.page_parts import Charts, Drawing, Flow, Part, Section, Stack, Table
from fdd_edge.reporting.run_facts import RoundFacts, RunFacts
from fdd_edge.reporting.shown_numbers import ORIGINS, counted, in_words, percent
from fdd_edge.reporting.svg_charts import Curve, curves, smoothed

__all__ = ["losses", "problems"]

_MOST_ROUNDS = 8
"""Rounds that are drawn; of more, the last ones."""

_MOST_REASONS = 4
"""Reasons for rejections that get a part of their own."""

_KINDS = ("seed problems", "new problems", "too long to train on")
"""What was kept out: each problem of a round once."""

_PARENTS = ("easy", "hard")

_LABELS = {"format": "no runnable program", "lost": "lost to quantization"}
_TONES = {
    "seed": "k0",
    "complex": "k1",
    "similar": "k3",
    "own": "k5",
    "easy": "k2",
    "borderline": "k3",
    "hard": "k1",
    "format": "k5",
    "lost": "k4",
}


def problems(run: RunFacts) -> Section:
    """Return the section of what every round trained on, how it labelled, and what was written and let in."""
    drawn = run.rounds[-_MOST_ROUNDS:]
    parts: list[Part] = [Flow([(f"Round {one.number}", list(_stacks(one.summary))) for one in drawn])]
    caption = "Problems that were kept out, by reason. They are in the run folder, each with its reason."
    if any(one.summary.too_long for one in drawn):
        caption += " What is too long stays in the data, and is counted in every round."
    without = (
        "Labelled problems to which no new one was let in, by reason: of the teacher, or of the checks of new ones."
    )
    parts += _by_reason(drawn, [_kept_out(one.summary) for one in drawn], _KINDS, "what", caption)
    parts += _by_reason(drawn, [_without_new(one.summary) for one in drawn], _PARENTS, "label", without)
    first = run.rounds[0].summary
    wrote = sum(sum(one.summary.evolved.values()) for one in run.rounds)
    took = sum(sum(one.summary.accepted.values()) for one in run.rounds)
    finding = f"Training began with {counted(sum(first.data.values()), 'problem')}"
    finding += f" ({in_words(first.data, ORIGINS)})." if len(first.data) > 1 else "."
    if wrote:
        finding += f" The teacher wrote {wrote:,} new ones, of which {took:,} ({percent(took / wrote)}) were let in."
    else:
        finding += " No new ones were written."
    if len(run.rounds) > _MOST_ROUNDS:
        finding += f" Drawn are the last {_MOST_ROUNDS} of {len(run.rounds)} rounds."
    return Section("problems", "Where the problems went", finding, parts)


def _stacks(summary: RoundSummary) -> Iterator[Stack]:
    yield Stack(
        "Trained on", [(ORIGINS.get(name, name), n, _TONES.get(name, "k5")) for name, n in summary.data.items()]
    )
    if any(summary.split.values()):
        parts = [(_LABELS.get(name, name), n, _TONES.get(name, "k5")) for name, n in summary.split.items()]
        yield Stack("Labelled", parts)
    if not summary.evolved:
        return
    yield Stack("New", [(ORIGINS.get(name, name), n, _TONES.get(name, "k5")) for name, n in summary.evolved.items()])
    reasons = Counter(_rejected_new(summary))
    common = reasons.most_common(_MOST_REASONS)
    rest = sum(reasons.values()) - sum(n for _, n in common)
    tones = ("k1", "k3", "k4", "k5")
    parts = [("let in", sum(summary.accepted.values()), "k2")]
    parts += [(f"for {_said(reason)}", n, tone) for (reason, n), tone in zip(common, tones, strict=False)]
    yield Stack("Checked", [*parts, *([("for other reasons", rest, "k0")] if rest else [])])


def _rejected_new(summary: RoundSummary) -> dict[str, int]:
    """Return how many new problems were rejected for each reason."""
    found: Counter[str] = Counter()
    for row in summary.curation:
        found.update(row.rejected)
    return dict(found.most_common())


def _by_reason(
    rounds: Sequence[RoundFacts],
    counts: Sequence[Counter[tuple[str, str]]],
    kinds: Sequence[str],
    kind: str,
    caption: str,
) -> Iterator[Table]:
    """Yield a table of counts by kind, reason and round, unless there are none."""
    rows = [
        (*key, *(f"{found[key]:,}" if found[key] else "" for found in counts))
        for key in sorted(sum(counts, Counter()), key=lambda key: (kinds.index(key[0]), key[1]))
    ]
    if rows:
        yield Table((kind, "reason", *(f"round {one.number}" for one in rounds)), rows, caption, texts=2)


def _kept_out(summary: RoundSummary) -> Counter[tuple[str, str]]:
    """Count the problems that were kept out by what they are and why.

    What later rounds keep out of their data are the new problems that the round before has turned down.
    """
    seeds = summary.rejected if summary.round == 0 else {}
    return _counts(
        (_KINDS[0], seeds),
        (_KINDS[1], _rejected_new(summary)),
        (_KINDS[2], {"more tokens than training.max_length": summary.too_long}),
    )


def _without_new(summary: RoundSummary) -> Counter[tuple[str, str]]:
    """Count the labelled problems without an accepted new one by label and why."""
    return _counts(*((name, summary.without[name].reasons) for name in _PARENTS if name in summary.without))


def _counts(*kinds: tuple[str, Mapping[str, int]]) -> Counter[tuple[str, str]]:
    found = Counter({(kind, _said(reason)): n for kind, reasons in kinds for reason, n in reasons.items()})
    return +found


def _said(reason: str) -> str:
    """Return a reason as words, unless it is the name of a key."""
    return reason if "." in reason else reason.replace("_", " ")


def losses(run: RunFacts) -> Section:
    """Return the section of training and validation losses."""
    known = {one.number: Curve(smoothed(one.training.losses), _finite(one.training.valid_losses)) for one in run.rounds}
    drawn = [one for one in run.rounds if known[one.number].losses][-_MOST_ROUNDS:]
    if not drawn:
        return Section("losses", "Losses", "No losses were recorded that are numbers.")
    curves_of = [known[one.number] for one in drawn]
    shown = [loss for curve in curves_of for _, loss in (*curve.losses, *curve.valid)]
    ends = (min(shown), max(shown))
    rows = [
        (
            str(one.number),
            f"{one.training.examples:,}",
            f"{one.training.steps:,}",
            *(f"{loss:.3f}" for loss in one.summary.loss or ()),
            "–" if one.summary.valid_loss is None else f"{one.summary.valid_loss:.3f}",
            "all" if not one.training.best_step else f"step {one.training.best_step:,}",
        )
        for one in run.rounds
        if one.summary.loss is not None
    ]
    caption = (
        "Mean loss per token of a program: of the first ten steps, of the last ten, and of the validation problems."
    )
    heads = ("round", "examples", "steps", "first loss", "last loss", "validation", "weights kept")
    last = run.rounds[-1].summary
    finding = f"In round {last.round}, the training loss"
    finding += " was not recorded" if last.loss is None else " went from {:.3f} to {:.3f}".format(*last.loss)
    finding += "." if last.valid_loss is None else f"; the validation loss ended at {last.valid_loss:.3f}."
    return Section(
        "losses",
        "Losses",
        finding,
        [
            Charts([_loss_chart(*pair, ends) for pair in zip(drawn, curves_of, strict=True)]),
            Table(heads, rows, caption),
        ],
    )


def _finite(losses: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    return [(step, loss) for step, loss in losses if isfinite(loss)]


def _loss_chart(one: RoundFacts, curve: Curve, ends: tuple[float, float]) -> Drawing:
    loss, valid = one.summary.loss, one.summary.valid_loss
    said = "" if loss is None else "training {:.3f} → {:.3f}".format(*loss)
    said += "" if valid is None else f", validation {valid:.3f}"
    drawn = curves(curve, ends, f"Losses of round {one.number} by step.", f"{said}.")
    legend = ("training (smoothed)", "validation") if curve.valid else ("training (smoothed)",)
    return Drawing(f"Round {one.number}: {said}.", said, drawn, legend)
