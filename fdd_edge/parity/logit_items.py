"""The items of a certificate about what the model computes: logits, most likely tokens, stops and answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fdd_edge.ondevice.protocol import Completion, Scores, SpecialIds
from fdd_edge.parity.certificate import Figures, Item
from fdd_edge.parity.item_figures import interval, percent, rounded, side_by_side
from fdd_edge.parity.reference_outputs import Reply
from fdd_edge.parity_bounds import Bounds
from fdd_edge.records import same_answer

__all__ = ["Pairs", "answers_item", "greedy_tokens_item", "logits_item", "stops_item"]

_Rows = npt.NDArray[np.float32]
Pairs = Sequence[tuple[Reply, Scores]]
"""The reference's replies, each with what the file makes of it."""

_Z95 = 1.96
"""Standard errors above a mean at which its 95 % interval ends."""

_FEW_STOPS = 16
"""A share of fewer stops, or of a quarter of fewer than 64 replies, is not judged: a student that was not tuned on the
prompt hardly ever stops."""

_FEW_ANSWERS = 10
"""A share of fewer answers is not judged: a single reply that depends on a tie would be a tenth of them."""


def logits_item(reference: _Rows, file: _Rows, answered: Pairs, bounds: Bounds) -> Item:
    """Compare whole rows of logits: relative L2 error, and KL divergence of the next token."""
    if file.shape != reference.shape:
        shapes = {"reference": list(reference.shape), "file": list(file.shape)}
        return Item("logits", False, "the file gives a different number of logits", shapes, shapes)
    if not np.isfinite(file).all():
        bad = int(np.flatnonzero(~np.isfinite(file).all(1))[0])
        return Item("logits", False, "they are not finite numbers", {}, _place_of_row(answered, bad))
    # Adding a number to a whole row changes no probability, so rows are compared about their means.
    file, reference = (rows - rows.mean(1, keepdims=True) for rows in (file, reference))
    errors = np.linalg.norm(file - reference, axis=1) / np.linalg.norm(reference, axis=1)
    divergences = _kl(reference, file)
    median, p99, largest = (float(np.quantile(errors, q)) for q in (0.5, 0.99, 1.0))
    kl_mean, kl_max = float(divergences.mean()), float(divergences.max())
    passed = median <= bounds.logits_median and p99 <= bounds.logits_p99 and kl_mean <= bounds.kl_mean
    error_figures = {"median": rounded(median), "p99": rounded(p99), "max": rounded(largest)}
    upper = kl_mean + _Z95 * float(divergences.std()) / len(divergences) ** 0.5
    kl_figures = {"mean": rounded(kl_mean), "upper": rounded(upper), "max": rounded(kl_max)}
    figures: Figures = {"n": len(errors), "relative_error": error_figures, "kl": kl_figures}
    summary = (
        f"error {median:.2g} median, {p99:.2g} p99; KL {kl_mean:.2g} mean "
        f"(at most {bounds.logits_median:g}, {bounds.logits_p99:g}; {bounds.kl_mean:g})"
    )
    over = np.flatnonzero(errors > (bounds.logits_p99 if p99 > bounds.logits_p99 else bounds.logits_median))
    first = None if passed else _place_of_row(answered, int(over[0]) if len(over) else int(divergences.argmax()))
    return Item("logits", passed, summary, figures, first)


def _kl(reference: _Rows, file: _Rows) -> npt.NDArray[np.float64]:
    """Return the KL divergence of each row in nats: shape (rows,)."""
    p, q = (_log_softmax(rows.astype(np.float64)) for rows in (reference, file))
    divergences: npt.NDArray[np.float64] = (np.exp(p) * (p - q)).sum(1).clip(min=0)
    return divergences


def _log_softmax(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shifted = rows - rows.max(1, keepdims=True)
    logs: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return logs


def _place_of_row(answered: Pairs, row: int) -> Figures:
    places = [(reply, position) for reply, _ in answered for position in reply.rows]
    reply, position = places[row]
    return {"prompt": reply.id, "position": position}


def greedy_tokens_item(answered: Pairs, bounds: Bounds) -> Item:
    """Compare the most likely token at every position of the reference's replies."""
    n = agree = unclear = 0
    first: Figures | None = None
    for position in _positions(answered):
        same = position.file == position.reference
        if not same and position.lead < bounds.clear_lead:
            unclear += 1
            continue
        n += 1
        agree += same
        if first is None and not same:
            first = position.difference()
    share = agree / n if n else 0.0
    close = f", {unclear} too close to call" if unclear else ""
    summary = f"{agree} of {n}: {percent(agree, n)}{close} (at least {100 * bounds.greedy:g} %)"
    figures = {"n": n, "agree": agree, "unclear": unclear, "share": round(share, 4), "ci95": interval(agree, n)}
    return Item("greedy_tokens", share >= bounds.greedy, summary, figures, first)


def stops_item(reference: SpecialIds, answered: Pairs, bounds: Bounds) -> Item:
    """Check that the file's most likely token ends a reply where the reference ends it, and only there."""
    n = stopped = early = unclear = 0
    first: Figures | None = None
    for position in _positions(answered):
        reference_stops = position.reference in reference.eos_ids
        file_stops = position.file in reference.eos_ids
        if reference_stops != file_stops:
            if position.lead < bounds.clear_lead:
                unclear += 1
                continue
            first = first or position.difference()
        n += reference_stops
        stopped += reference_stops and file_stops
        early += file_stops and not reference_stops
    share = stopped / n if n else 1.0
    # A recipe may ask for exact stops; then the file must not stop where the reference continues either.
    exact = bounds.stops == 1
    few = n < min(_FEW_STOPS, len(answered) // 4) and not exact
    passed = few or (share >= bounds.stops and not (exact and early))
    bound = "too few to judge" if few else f"at least {100 * bounds.stops:g} %"
    summary = f"{stopped} of the reference's {n}, {early} too early ({bound})"
    figures = {"n": n, "stopped": stopped, "early": early, "unclear": unclear, "share": round(share, 4)}
    return Item("stops", passed, summary, figures | {"ci95": interval(stopped, n)}, first)


class _Position(NamedTuple):
    """One position of a reply: the token the reference writes there, its lead over the next, and the file's token."""

    reply: Reply
    position: int
    reference: int
    lead: float
    file: int

    def difference(self) -> Figures:
        ids = {"reference": self.reference, "lead": round(self.lead, 4), "file": self.file}
        return {"prompt": self.reply.id, "position": self.position, **ids}


def _positions(answered: Pairs) -> Iterator[_Position]:
    for reply, scores in answered:
        columns = zip(reply.ids, reply.leads, scores.best, strict=True)
        for position, (reference, lead, file) in enumerate(columns):
            yield _Position(reply, position, reference, lead, file)


def answers_item(replies: Sequence[Reply], completions: Sequence[Completion], bounds: Bounds) -> Item:
    """Compare the answers that both sides give when each decodes by itself, and count changes in both directions."""
    if len(completions) != len(replies):
        return Item("answers", False, "the file could not be decoded", {"n": 0})
    agree = texts = neither = 0
    flips = {"to_none": 0, "from_none": 0, "other": 0, "right_to_wrong": 0, "wrong_to_right": 0}
    first: Figures | None = None
    for reply, completion in zip(replies, completions, strict=True):
        texts += reply.text.strip() == completion.text.strip()
        if reply.answer is completion.answer is None:
            neither += 1
            continue
        if _same(reply.answer, completion.answer):
            agree += 1
            continue
        kind = "to_none" if completion.answer is None else "from_none" if reply.answer is None else "other"
        flips[kind] += 1
        if reply.gold is not None:
            right = [_same(reply.gold, answer) for answer in (reply.answer, completion.answer)]
            flips["right_to_wrong"] += right == [True, False]
            flips["wrong_to_right"] += right == [False, True]
        if first is None:
            answers = {"prompt": reply.id, "reference": reply.answer, "file": completion.answer}
            first = {**answers, **side_by_side(reply.text, completion.text)}
    n = len(replies) - neither
    share = agree / n if n else 1.0
    few = n < _FEW_ANSWERS
    bound = "reported" if bounds.answers is None else f"at least {100 * bounds.answers:g} %"
    summary = (
        f"{agree} of {n}: {percent(agree, n)}, {neither} more without a number on both sides; "
        f"right to wrong {flips['right_to_wrong']}, wrong to right {flips['wrong_to_right']}"
        f" ({'too few to judge' if few and bounds.answers is not None else bound})"
    )
    counts = {"n": n, "agree": agree, "share": round(share, 4), "ci95": interval(agree, n)}
    figures: Figures = {**counts, "neither": neither, "same_text": texts, "flips": flips}
    return Item("answers", bounds.answers is None or few or share >= bounds.answers, summary, figures, first)


def _same(wanted: float | None, given: float | None) -> bool:
    return wanted is given if wanted is None or given is None else same_answer(given, wanted)
