"""The scores of a text are checked against the text, and against themselves."""

from __future__ import annotations

import base64
import binascii

from fdd_edge.ondevice.protocol import Score, Scores

__all__ = ["fault_of_scores", "row_bytes"]

_FLOAT_BYTES = 4


def fault_of_scores(scores: Scores, text: Score, vocabulary_bytes: int | None) -> str | None:
    """Return what is wrong with the scores of a text, or None.

    Args:
        scores: What the runner sent.
        text: What it was to score.
        vocabulary_bytes: Size of a row of logits in earlier scores; None if there was none.
    """
    if scores.problem_id != text.problem_id:
        return f"it sent the scores of another text, {scores.problem_id[:80]!r}"
    n = 0 if scores.unreadable else len(text.reply_ids)
    for name, found in (("tokens", scores.best), ("leads", scores.leads)):
        if len(found) != n:
            return f"it sent the scores of another text: {len(found)} {name} for {n} positions"
    n_rows = len(text.rows) if n else 0
    try:
        size = row_bytes(scores.logits, n_rows)
    except ValueError:
        return f"it sent the scores of another text: its logits are not {n_rows} rows"
    if size and vocabulary_bytes and size != vocabulary_bytes:
        return f"its rows have {size // _FLOAT_BYTES} logits, and had {vocabulary_bytes // _FLOAT_BYTES} before"
    if size and (beyond := [token for token in scores.best if token >= size // _FLOAT_BYTES]):
        return f"it sent the token {beyond[0]}, which has no logit"
    return None


def row_bytes(logits: str, n: int) -> int:
    """Return the size of one of ``n`` rows of float32 in base64; 0 if there is none.

    Raises:
        ValueError: The text does not hold that many equal rows.
    """
    try:
        size = len(base64.b64decode(logits, validate=True))
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if (size > 0) != (n > 0) or (n and size % (_FLOAT_BYTES * n)):
        raise ValueError(f"{size} bytes are not {n} rows")
    return size // n if n else 0
