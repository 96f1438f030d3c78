"""Compares what a quantized file computes with the float model under the file's own weights.

Quantization changes the logits of a small model a lot, and a wrongly connected graph hardly more. Between two models
with the same weights, only the runtime's arithmetic differs: a wrong layer, cache or scale stands out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fdd_edge.parity.certificate import Figures, Item
from fdd_edge.parity.item_figures import rounded
from fdd_edge.parity.reference_outputs import ReferenceOutputs, Reply
from fdd_edge.parity.weight_comparison import relative_error

__all__ = ["NO_OWN_WEIGHTS", "WRONG_WEIGHTS", "compare_own_weights", "float_rows", "rows_of", "sample_replies"]

_Rows = npt.NDArray[np.float32]

_NAME = "own_weights"
_REPLIES, _POSITIONS = 8, 32
"""Most of the reference's replies, and about how many of their positions, that are read: a wrong graph is wrong for
every one of them."""

NO_OWN_WEIGHTS = Item(_NAME, True, "no weight is quantized: `logits` compares them", {"n": 0})
"""The item of a float file."""

WRONG_WEIGHTS = Item(_NAME, False, "not compared, because the weights do not match", {"n": 0})
"""The item of a file whose weights are not the reference's."""


def sample_replies(reference: ReferenceOutputs) -> list[Reply]:
    """Return some of the reference's replies, spread evenly over all."""
    replies = reference.answered
    kept = max(len(reply.rows) for reply in replies)
    return replies[:: max(1, len(replies) // _REPLIES, len(replies) * kept // _POSITIONS)]


def rows_of(reference: ReferenceOutputs, logits: _Rows, replies: Sequence[Reply]) -> list[_Rows]:
    """Return the rows for some replies of a side's logits; none if that side could not read all replies."""
    starts, start = {}, 0
    for reply in reference.replies:
        starts[reply.id] = start
        start += len(reply.rows) if reply.ids else 0
    if len(logits) != start:
        return []
    return [logits[starts[reply.id] :][: len(reply.rows)] for reply in replies]


def float_rows(
    folder: Path, weights: Iterable[tuple[str, _Rows]], replies: Sequence[Reply], *, threads: int | None = None
) -> list[_Rows]:
    """Return what the float model computes under a file's weights at the kept positions of each reply.

    Args:
        folder: Hugging Face folder of the float model.
        weights: The file's quantized weights, dequantized, by their names in the folder.
        replies: Some of the reference's replies.
        threads: Number of torch threads; None for torch's default.
    """
    from fdd_edge.students.float_model import Reference

    model = Reference(folder, threads=threads)
    model.replace_weights(weights)
    return [model.logits_at(reply.prompt_ids, reply.ids, reply.rows) for reply in replies]


def compare_own_weights(
    wanted: Sequence[_Rows], rows: Sequence[_Rows], replies: Sequence[Reply], *, bound: float
) -> Item:
    """Compare a file's logits with those of its float model under the file's own weights.

    Args:
        wanted: The float model's logits at the kept positions of each reply.
        rows: The file's.
        replies: Some of the reference's replies.
        bound: Largest allowed median error.
    """
    if not rows or [one.shape for one in rows] != [one.shape for one in wanted]:
        return Item(_NAME, False, "the file does not give the logits that it was asked for", {"n": 0})
    errors: list[float] = []
    places: list[Figures] = []
    for reply, theirs, found in zip(replies, wanted, rows, strict=True):
        for row, position, file in zip(theirs, reply.rows, found, strict=True):
            errors.append(relative_error(file - file.mean(), row - row.mean()))
            places.append({"prompt": reply.id, "position": position})
    median, largest = float(np.median(errors)), float(np.max(errors))
    passed = median <= bound
    summary = (
        f"error {median:.2g} median, {largest:.2g} largest of {len(errors)} positions under the file's own weights "
        f"(median at most {bound:g})"
    )
    figures = {"n": len(errors), "median": rounded(median), "max": rounded(largest)}
    return Item(_NAME, passed, summary, figures, None if passed else places[int(np.argmax(errors))])
