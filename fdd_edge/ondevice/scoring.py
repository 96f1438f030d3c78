"""Score a text that another runtime wrote: feed its ids to this model, position by position."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .logits_codec import encode_rows
from .prompt import Prompt
from .protocol import RunnerError, Score, Scores, Settings
from .runtime import Model

__all__ = ["lead_of", "score"]

_POSITIONS = 64
"""Positions whose logits are held at once. With a large vocabulary, a whole batch would take half a gigabyte."""

_Rows = npt.NDArray[np.float32]


def score(model: Model, prompt: Prompt, settings: Settings, text: Score) -> Scores:
    """Render, tokenize and score one text.

    Args:
        model: The loaded model.
        prompt: Its prompt.
        settings: ``threads`` and ``kv`` are used.
        text: The text and ids of the other runtime.

    Raises:
        RunnerError: The prompt is empty, or the runtime failed.
    """
    own_prompt = prompt.render(text.question)
    best: list[int] = []
    leads: list[float] = []
    kept: list[_Rows] = []
    unreadable = _unreadable(model, text)
    if text.reply_ids and not unreadable:
        for position, row in enumerate(_rows(model, settings, text)):
            token, lead = lead_of(row)
            best.append(token)
            leads.append(lead)
            if position in text.rows:
                kept.append(row.copy())
    rows = np.stack(kept) if kept else np.empty((0, 0), np.float32)
    return Scores(
        problem_id=text.problem_id,
        prompt=own_prompt,
        prompt_ids=tuple(model.tokenize(own_prompt)),
        text_ids=tuple(model.tokenize(text.text)),
        best=tuple(best),
        leads=tuple(leads),
        logits=encode_rows(rows),
        unreadable=unreadable,
    )


def _unreadable(model: Model, text: Score) -> str:
    """Return why this model cannot read the other runtime's ids, or an empty string if it can."""
    unknown = [token for token in (*text.prompt_ids, *text.reply_ids) if not 0 <= token < model.n_vocab]
    if unknown:
        return f"it has no token {unknown[0]}, only {model.n_vocab} tokens"
    if len(text.prompt_ids) + len(text.reply_ids) - 1 > model.n_ctx_train:
        return f"they are longer than its context of {model.n_ctx_train} tokens"
    return ""


def _rows(model: Model, settings: Settings, text: Score) -> Iterator[_Rows]:
    """Yield the logits for each token of the reply; a row is valid until the next one is drawn."""
    ids = [*text.prompt_ids, *text.reply_ids[:-1]]
    first = len(text.prompt_ids) - 1
    if first < 0:
        raise RunnerError("bad_request", f"The prompt of {text.problem_id} is empty, so no reply to it can be scored.")
    context = model.open_context(len(ids), 1, settings.threads, settings.kv)
    try:
        context.read(0, 0, ids[:first])
        for start in range(first, len(ids), _POSITIONS):
            yield from context.follow(start, ids[start : start + _POSITIONS])
    finally:
        context.close()


def lead_of(row: _Rows) -> tuple[int, float]:
    """Return the likeliest token and by how much its logit exceeds the second highest (0 if they are not finite)."""
    best = int(np.argmax(row))  # argmax returns the first NaN if there is one
    if not np.isfinite(row[best]) or len(row) < 2:
        return best, 0.0
    second = float(np.partition(row, -2)[-2])
    lead = float(row[best]) - second
    return best, lead if np.isfinite(lead) else 0.0
