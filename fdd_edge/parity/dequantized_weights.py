"""What a quantized file computes, apart from what rounding cost it: the float model is given the file's own weights.

Rounding moves the logits of a small model far, and a graph that is wired wrongly hardly further. Between two models
with the same weights there is only the arithmetic of the runtime: a wrong layer, cache or scale stands out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fdd_edge.parity.certificate import Item
from fdd_edge.parity.device_outputs import DeviceOutputs
from fdd_edge.parity.reference_outputs import ReferenceOutputs, Reply
from fdd_edge.parity.weight_comparison import relative_error

__all__ = ["NO_OWN_WEIGHTS", "WRONG_WEIGHTS", "compare_own_weights", "rows_of", "sample_replies"]

_Rows = npt.NDArray[np.float32]

_NAME = "own_weights"
_PROMPTS = 8
"""Prompts that are read, of those that the reference has answered: a wrong graph is wrong on each."""

NO_OWN_WEIGHTS = Item(_NAME, True, "none is quantized: the logits say it", {"n": 0})
"""The item of a float file."""

WRONG_WEIGHTS = Item(_NAME, False, "not compared, because the weights are others", {"n": 0})
"""The item of a file whose weights are not the reference's."""


def sample_replies(record: ReferenceOutputs) -> list[Reply]:
    """Return some of the replies that the reference has given, spread over all."""
    replies = [reply for reply in record.replies if reply.ids]
    return replies[:: max(1, len(replies) // _PROMPTS)]


def rows_of(record: ReferenceOutputs, reading: DeviceOutputs, replies: Sequence[Reply]) -> list[_Rows]:
    """Return the rows of logits that a reading has of some replies; none where the file could not read them."""
    starts, start = {}, 0
    for reply in record.replies:
        starts[reply.id] = start
        start += len(reply.rows) if reply.ids else 0
    if len(reading.logits) != start:
        return []
    return [reading.logits[starts[reply.id] :][: len(reply.rows)] for reply in replies]


def compare_own_weights(
    reference: Path,
    weights: Iterable[tuple[str, _Rows]],
    replies: Sequence[Reply],
    rows: Sequence[_Rows],
    *,
    bound: float,
    threads: int | None = None,
) -> Item:
    """Compare a file's logits with those of its float model under the file's own weights.

    Args:
        reference: Hugging Face folder of the float model.
        weights: The file's quantized weights, dequantized, by their names in the folder.
        replies: Some of the reference's.
        rows: The file's logits at the wanted positions of each.
        bound: The most that the median error may be.
        threads: Of torch; None leaves it its own number.
    """
    from fdd_edge.students.float_model import Reference

    model = Reference(reference, threads=threads)
    if not rows or {one.shape[1] for one in rows} != {model.n_vocab}:
        return Item(_NAME, False, "the file has other logits than were asked for", {"n": 0})
    model.exchange(weights)
    errors, places = [], []
    for reply, found in zip(replies, rows, strict=True):
        wanted = model.read(reply.prompt_ids, reply.ids, reply.rows)
        for row, position, file in zip(wanted, reply.rows, found, strict=True):
            errors.append(relative_error(file - file.mean(), row - row.mean()))
            places.append({"prompt": reply.id, "position": position})
    median, most = float(np.median(errors)), float(np.max(errors))
    passed = median <= bound
    summary = (
        f"error {median:.2g} median, {most:.2g} largest of {len(errors)} rows under the file's own weights "
        f"(median at most {bound:g})"
    )
    figures = {"n": len(errors), "median": _rounded(median), "max": _rounded(most)}
    return Item(_NAME, passed, summary, figures, None if passed else places[int(np.argmax(errors))])


def _rounded(number: float) -> float | None:
    return float(f"{number:.4g}") if np.isfinite(number) else None
