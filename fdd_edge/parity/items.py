"""The items of a certificate: each holds one layer of a file against the same layer of its reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fdd_edge.intervals import wilson
from fdd_edge.ondevice.protocol import Completion, Scores, SpecialIds
from fdd_edge.parity.certificate import Bounds, Item
from fdd_edge.parity.device_outputs import DeviceOutputs
from fdd_edge.parity.reference_outputs import ReferenceOutputs, Reply, Vocabulary
from fdd_edge.records import same_answer

__all__ = ["judge_items"]

_Rows = npt.NDArray[np.float32]
_Pairs = Sequence[tuple[Reply, Scores]]


_FEW_STOPS = 16
"""A share of fewer stops says nothing: a student that was not tuned on the prompt hardly ever stops."""

_FEW_ANSWERS = 10
"""A share of fewer answers says nothing: one reply that turns on a tie is a tenth of them."""


def judge_items(
    record: ReferenceOutputs,
    reading: DeviceOutputs,
    vocabulary: Vocabulary,
    bounds: Bounds,
    *,
    configs: Sequence[Mapping[str, Any]] | None,
    weights: Sequence[Item],
) -> tuple[Item, ...]:
    """Return every item, in the order in which a text passes the layers: ids, prompt, weights, logits, answers.

    Args:
        record: The reference's side.
        reading: The file's side.
        vocabulary: The file's tokens and chat template.
        bounds: The recipe's.
        configs: Keys of the configs beside a graph that do not describe it: ``key``, ``reference``, ``file``; None
            for a file that has none beside it.
        weights: The comparisons of the weights and of what is computed with them, made where both are at hand.
    """
    pairs = list(zip(record.replies, reading.scores, strict=True))
    answered = [(reply, scores) for reply, scores in pairs if reply.ids]
    own = reading.info.special
    unread = _unreadable(answered)
    return (
        _bos(record.special, own, pairs),
        _ids("eos_id", record.special.eos, own.eos),
        _ids("stop_ids", list(record.special.stops), list(own.stops)),
        _configs(configs),
        _vocabulary(record, vocabulary.pieces),
        _chat_template(record.vocabulary.chats, vocabulary.chats[0]),
        _prompt_bytes(pairs),
        _prompt_ids(pairs),
        *weights,
        unread("logits") or _logits(record, reading, answered, bounds),
        unread("greedy_tokens") or _greedy_tokens(answered, bounds),
        unread("stops") or _stops(record.special, answered, bounds),
        _answers([reply for reply, _ in answered], reading.completions, bounds),
    )


def _unreadable(answered: _Pairs) -> Callable[[str], Item | None]:
    """Return what makes the items of a file that cannot be fed the reference's ids: none where it can."""
    found = [(reply, scores.unreadable) for reply, scores in answered if scores.unreadable]
    if not found:
        return lambda name: None
    reply, reason = found[0]
    summary = f"the file cannot read {len(found)} of the reference's {len(answered)} replies: {reason}"
    return lambda name: Item(name, False, summary, {"n": len(answered)}, {"prompt": reply.id})


def _bos(reference: SpecialIds, file: SpecialIds, pairs: _Pairs) -> Item:
    """Compare the id that begins a text, whether it is put before a prompt, and how many of it stand there."""
    figures = {"reference": reference.bos, "file": file.bos, "adds_bos": file.adds_bos}
    if reference.adds_bos != file.adds_bos:
        difference: dict[str, Any] = {"adds_bos of the reference": reference.adds_bos, "file": file.adds_bos}
        return Item("bos", False, "it is put before a prompt on one side only", figures, difference)
    if reference.bos is None:
        return Item("bos", True, "none, and none is put before a prompt", figures)
    if reference.bos != file.bos:
        return Item("bos", False, f"{file.bos}, not {reference.bos}", figures, dict(figures))
    for reply, scores in pairs:
        counts = [_leading(ids, reference.bos) for ids in (reply.prompt_ids, scores.prompt_ids)]
        if counts[0] != counts[1]:
            difference = {"prompt": reply.id, "reference begins with": counts[0], "file with": counts[1]}
            return Item("bos", False, f"prompts do not begin with as many of {file.bos}", figures, difference)
    return Item("bos", True, f"{file.bos}, as often before a prompt as the reference has it", figures)


def _leading(ids: Sequence[int], token: int) -> int:
    return next((n for n, other in enumerate(ids) if other != token), len(ids))


def _ids(name: str, reference: object, file: object) -> Item:
    figures = {"reference": reference, "file": file}
    same = reference == file
    return Item(name, same, f"{file}" if same else f"{file}, not {reference}", figures, None if same else figures)


def _configs(wrong: Sequence[Mapping[str, Any]] | None) -> Item:
    """Say whether the configs beside a graph describe it to those who read them."""
    if wrong is None:
        return Item("configs", True, "none beside it: the file itself says how it is run", {"n": 0})
    if not wrong:
        return Item("configs", True, "they describe this model", {"n": 0})
    summary = f"{len(wrong)} {'key does' if len(wrong) == 1 else 'keys do'} not describe this model"
    return Item("configs", False, summary, {"n": len(wrong)}, wrong[0])


def _vocabulary(record: ReferenceOutputs, pieces: Sequence[bytes]) -> Item:
    """Compare what the file writes for every id, and for the replies, which the reference's own tokenizer has written.

    A reply that holds a control token, or bytes that are no text, is written in other ways by either side's custom.
    """
    reference = record.vocabulary.pieces
    figures: dict[str, Any] = {"n": len(reference)}
    if len(pieces) != len(reference):
        sizes = {"reference": len(reference), "file": len(pieces)}
        return Item("vocabulary", False, f"{len(pieces)} tokens, not {len(reference)}", figures, sizes)
    different = [token for token, (a, b) in enumerate(zip(reference, pieces, strict=True)) if a != b]
    if different:
        token, n = different[0], len(different)
        sides = {"reference": _text(reference[token]), "file": _text(pieces[token])}
        summary = f"{n} of {len(pieces)} tokens {'is' if n == 1 else 'are'} written differently"
        return Item("vocabulary", False, summary, figures | {"different": n}, {"token": token} | sides)
    compared = 0
    for reply in record.answered:
        written = [pieces[token] for token in (reply.ids[:-1] if reply.ended else reply.ids)]
        if "\ufffd" in reply.text or b"" in written:
            continue
        compared += 1
        if (text := _text(b"".join(written))).strip() != reply.text.strip():
            difference = {"prompt": reply.id} | _side_by_side(reply.text, text)
            return Item("vocabulary", False, "a reply is written differently", figures, difference)
    figures |= {"different": 0, "replies": compared}
    return Item("vocabulary", True, f"{len(pieces)} tokens and {compared} replies written alike", figures)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace")


def _chat_template(reference: Sequence[Sequence[str | None]], file: Sequence[str | None]) -> Item:
    """Compare what the file's chat template makes of a user's message with what it should."""
    figures = {"n": len(file)}
    if any(tuple(file) == tuple(chat) for chat in reference):
        summary = "none on either side" if file[0] is None else "a user's message becomes the reference's prompt"
        return Item("chat_template", True, summary, figures)
    wanted, found = next(pair for pair in zip(reference[0], file, strict=True) if pair[0] != pair[1])
    if wanted is None or found is None:
        sides: dict[str, Any] = {"reference": wanted, "file": found}
    else:
        at = _first_different(wanted, found)
        sides = {"byte": len(wanted[:at].encode()), "reference": _around(wanted, at), "file": _around(found, at)}
    return Item("chat_template", False, "a user's message becomes another prompt", figures, sides)


def _prompt_bytes(pairs: _Pairs) -> Item:
    """Compare the file's prompt for each question with the reference's, byte for byte."""
    different = [(reply, scores) for reply, scores in pairs if reply.prompt != scores.prompt]
    first = None
    if different:
        reply, scores = different[0]
        at = _first_different(reply.prompt, scores.prompt)
        first = {"prompt": reply.id, "byte": len(reply.prompt[:at].encode())}
        first |= {"reference": _around(reply.prompt, at), "file": _around(scores.prompt, at)}
    return _exact("prompt_bytes", len(pairs), len(different), first)


def _prompt_ids(pairs: _Pairs) -> Item:
    """Compare the ids that both tokenizers give for the reference's text."""
    different = [(reply, scores) for reply, scores in pairs if reply.prompt_ids != scores.text_ids]
    first = None
    if different:
        reply, scores = different[0]
        at = _first_different(reply.prompt_ids, scores.text_ids)
        first = {"prompt": reply.id, "token": at}
        first |= {"reference": list(reply.prompt_ids[at : at + 4]), "file": list(scores.text_ids[at : at + 4])}
        first |= {"question": reply.question}
    return _exact("prompt_ids", len(pairs), len(different), first)


def _exact(name: str, n: int, wrong: int, first: dict[str, Any] | None) -> Item:
    return Item(name, not wrong, f"{n - wrong} of {n} prompts equal", {"n": n, "different": wrong}, first)


def _stops(reference: SpecialIds, answered: _Pairs, bounds: Bounds) -> Item:
    """Feed the file the reference's reply: is a stop its top choice where the reference stops, and only there?"""
    places = stopped = early = unclear = 0
    first: dict[str, Any] | None = None
    for place in _places(answered):
        reference_stops = place.reference in reference.stops
        file_stops = place.file in reference.stops
        if reference_stops != file_stops:
            if place.lead < bounds.clear_lead:
                unclear += 1
                continue
            first = first or place.difference()
        places += reference_stops
        stopped += reference_stops and file_stops
        early += file_stops and not reference_stops
    share = stopped / places if places else 1.0
    # A file may be asked to stop exactly; then it must not stop where the reference goes on either.
    exact = bounds.stops == 1
    few = places < _FEW_STOPS and not exact
    passed = few or (share >= bounds.stops and not (exact and early))
    asked = "too few to judge" if few else f"at least {100 * bounds.stops:g} %"
    summary = f"{stopped} of the reference's {places}, {early} too early ({asked})"
    figures = {"n": places, "stopped": stopped, "early": early, "unclear": unclear, "share": round(share, 4)}
    return Item("stops", passed, summary, figures | {"ci95": _interval(stopped, places)}, first)


def _logits(record: ReferenceOutputs, reading: DeviceOutputs, answered: _Pairs, bounds: Bounds) -> Item:
    """Compare whole rows of logits: relative L2 error, and what the file's next token tells less."""
    reference, file = record.logits, reading.logits
    if file.shape != reference.shape:
        shapes = {"reference": list(reference.shape), "file": list(file.shape)}
        return Item("logits", False, "the file has another number of them", shapes, shapes)
    if not np.isfinite(file).all():
        bad = int(np.flatnonzero(~np.isfinite(file).all(1))[0])
        return Item("logits", False, "they are not finite numbers", {}, _row_difference(answered, bad))
    # A number added to a whole row changes no probability, so rows are compared about their means.
    file, reference = (rows - rows.mean(1, keepdims=True) for rows in (file, reference))
    errors = np.linalg.norm(file - reference, axis=1) / np.linalg.norm(reference, axis=1)
    divergences = _kl(reference, file)
    median, p99, most = (float(np.quantile(errors, q)) for q in (0.5, 0.99, 1.0))
    kl_mean, kl_max = float(divergences.mean()), float(divergences.max())
    passed = median <= bounds.logits_median and p99 <= bounds.logits_p99 and kl_mean <= bounds.kl_mean
    figures = {"n": len(errors), "relative_error": {"median": median, "p99": p99, "max": most}}
    figures |= {"kl": {"mean": kl_mean, "max": kl_max}}
    summary = (
        f"error {median:.2g} median, {p99:.2g} p99; KL {kl_mean:.2g} mean "
        f"(at most {bounds.logits_median:g}, {bounds.logits_p99:g}; {bounds.kl_mean:g})"
    )
    over = np.flatnonzero(errors > (bounds.logits_p99 if p99 > bounds.logits_p99 else bounds.logits_median))
    first = None if passed else _row_difference(answered, int(over[0]) if len(over) else int(divergences.argmax()))
    return Item("logits", passed, summary, _rounded(figures), first)


def _kl(reference: _Rows, file: _Rows) -> npt.NDArray[np.float64]:
    """Return the divergence of each row in nats: shape (rows,)."""
    p, q = (_log_softmax(rows.astype(np.float64)) for rows in (reference, file))
    divergences: npt.NDArray[np.float64] = (np.exp(p) * (p - q)).sum(1).clip(min=0)
    return divergences


def _log_softmax(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shifted = rows - rows.max(1, keepdims=True)
    logs: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return logs


def _row_difference(answered: _Pairs, row: int) -> dict[str, Any]:
    places = [(reply, position) for reply, _ in answered for position in reply.rows]
    reply, position = places[row]
    return {"prompt": reply.id, "position": position}


def _greedy_tokens(answered: _Pairs, bounds: Bounds) -> Item:
    """Compare the likeliest token at every position of the reference's replies."""
    n = agree = unclear = 0
    first: dict[str, Any] | None = None
    for place in _places(answered):
        same = place.file == place.reference
        if not same and place.lead < bounds.clear_lead:
            unclear += 1
            continue
        n += 1
        agree += same
        if first is None and not same:
            first = place.difference()
    share = agree / n if n else 0.0
    close = f", {unclear} too close to call" if unclear else ""
    summary = f"{agree} of {n}: {_percent(agree, n)}{close} (at least {100 * bounds.greedy:g} %)"
    figures = {"n": n, "agree": agree, "unclear": unclear, "share": round(share, 4), "ci95": _interval(agree, n)}
    return Item("greedy_tokens", share >= bounds.greedy, summary, figures, first)


class _Place(NamedTuple):
    """One position of a reply: what the reference would write there, by how much, and what the file would."""

    reply: Reply
    position: int
    reference: int
    lead: float
    file: int

    def difference(self) -> dict[str, Any]:
        ids = {"reference": self.reference, "lead": round(self.lead, 4), "file": self.file}
        return {"prompt": self.reply.id, "position": self.position} | ids


def _places(answered: _Pairs) -> Iterator[_Place]:
    for reply, scores in answered:
        columns = zip(reply.ids, reply.leads, scores.best, strict=True)
        for position, (reference, lead, file) in enumerate(columns):
            yield _Place(reply, position, reference, lead, file)


def _answers(replies: Sequence[Reply], completions: Sequence[Completion], bounds: Bounds) -> Item:
    """Compare what both answer when each writes by itself, and count the changes in both directions."""
    if len(completions) != len(replies):
        return Item("answers", False, "the file could not be decoded", {"n": 0})
    agree = texts = neither = 0
    flips = {"to_none": 0, "from_none": 0, "other": 0, "right_to_wrong": 0, "wrong_to_right": 0}
    first: dict[str, Any] | None = None
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
            first = {"prompt": reply.id, "reference": reply.answer, "file": completion.answer}
            first |= _side_by_side(reply.text, completion.text)
    n = len(replies) - neither
    share = agree / n if n else 1.0
    summary = (
        f"{agree} of {n}: {_percent(agree, n)}, {neither} more without a number on both sides; "
        f"right to wrong {flips['right_to_wrong']}, wrong to right {flips['wrong_to_right']}"
    )
    few = n < _FEW_ANSWERS
    asked = "reported" if bounds.answers is None else f"at least {100 * bounds.answers:g} %"
    summary += f" ({'too few to judge' if few and bounds.answers is not None else asked})"
    figures: dict[str, Any] = {"n": n, "agree": agree, "share": round(share, 4), "ci95": _interval(agree, n)}
    figures |= {"neither": neither, "same_text": texts, "flips": flips}
    return Item("answers", bounds.answers is None or few or share >= bounds.answers, summary, figures, first)


def _same(wanted: float | None, given: float | None) -> bool:
    return wanted is given if wanted is None or given is None else same_answer(given, wanted)


def _side_by_side(reference: str, file: str) -> dict[str, str]:
    at = _first_different(reference, file)
    return {"reference writes": _around(reference, at), "file writes": _around(file, at)}


def _first_different(one: Sequence[Any], other: Sequence[Any]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _around(text: str, at: int) -> str:
    """Return the text about a place: enough to find it again."""
    return text[max(0, at - 12) : at + 24]


def _percent(successes: int, n: int) -> str:
    """Return a share with its 95 % interval, in per cent."""
    if not n:
        return "-"
    low, high = wilson(successes, n)
    return f"{100 * successes / n:.1f} % ({100 * low:.1f}-{100 * high:.1f})"


def _interval(successes: int, n: int) -> list[float] | None:
    return [round(end, 4) for end in wilson(successes, n)] if n else None


def _rounded(value: Any) -> Any:
    """Return figures at four digits."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value
