"""DeviceOutputs what another runtime wrote: the same ids through this file's weights, position by position."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .logits_codec import encode_rows
from .prompt import Prompt
from .protocol import RunnerError, Score, Scores, Settings
from .runtime import Model

__all__ = ["score"]

_ASKED = 64
"""Positions whose logits are held at once: a large vocabulary times a whole batch would be half a gigabyte."""

_Rows = npt.NDArray[np.float32]


def score(model: Model, prompt: Prompt, settings: Settings, asked: Score) -> Scores:
    """Render, encode and score one text.

    Args:
        model: The loaded file.
        prompt: Its template.
        settings: ``threads`` and ``kv`` are used.
        asked: The other side's text and ids.

    Raises:
        RunnerError: There is no prompt to reply to, or the runtime failed.
    """
    own = prompt.render(asked.question)
    best: list[int] = []
    leads: list[float] = []
    wanted: list[_Rows] = []
    unreadable = _unreadable(model, asked)
    if asked.reply_ids and not unreadable:
        for position, row in enumerate(_rows(model, settings, asked)):
            token, lead = _lead(row)
            best.append(token)
            leads.append(lead)
            if position in asked.rows:
                wanted.append(row.copy())
    rows = np.stack(wanted) if wanted else np.empty((0, 0), np.float32)
    return Scores(
        problem_id=asked.problem_id,
        prompt=own,
        prompt_ids=tuple(model.tokenize(own)),
        text_ids=tuple(model.tokenize(asked.text)),
        best=tuple(best),
        leads=tuple(leads),
        logits=encode_rows(rows),
        unreadable=unreadable,
    )


def _unreadable(model: Model, asked: Score) -> str:
    """Return why a file cannot be fed the other side's ids; empty if it can."""
    strange = [token for token in (*asked.prompt_ids, *asked.reply_ids) if not 0 <= token < model.n_vocab]
    if strange:
        return f"it has no token {strange[0]}, only {model.n_vocab}"
    if len(asked.prompt_ids) + len(asked.reply_ids) - 1 > model.n_ctx_train:
        return f"they are longer than its context of {model.n_ctx_train}"
    return ""


def _rows(model: Model, settings: Settings, asked: Score) -> Iterator[_Rows]:
    """Yield the logits for each token of the reply; a row holds until the next one is drawn."""
    ids = [*asked.prompt_ids, *asked.reply_ids[:-1]]
    first = len(asked.prompt_ids) - 1
    if first < 0:
        raise RunnerError("bad_request", f"{asked.problem_id} has no prompt to reply to.")
    context = model.open_context(len(ids), 1, settings.threads, settings.kv)
    try:
        context.read(0, 0, ids[:first])
        for start in range(first, len(ids), _ASKED):
            yield from context.follow(start, ids[start : start + _ASKED])
    finally:
        context.close()


def _lead(row: _Rows) -> tuple[int, float]:
    """Return the likeliest token and its lead over the next; a file whose numbers are none leads by nothing."""
    best = int(np.argmax(row))  # numpy's argmax stops at a NaN
    if not np.isfinite(row[best]) or len(row) < 2:
        return best, 0.0
    second = float(np.partition(row, -2)[-2])
    lead = float(row[best]) - second
    return best, lead if np.isfinite(lead) else 0.0
