"""What a file outputs for the prompts of a certificate, on the device it will run on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fdd_edge.ondevice.logits_codec import decode_rows
from fdd_edge.ondevice.protocol import Completion, Decoding, Score, Scores, Settings, TargetInfo, Task, plan_waves
from fdd_edge.parity.reference_outputs import ReferenceOutputs, Reply
from fdd_edge.progress import progress
from fdd_edge.targets import Profile, open_session

__all__ = ["DeviceOutputs", "read_file", "read_rows"]

_BATCH = 16
"""Largest number of prompts that share a batch."""


@dataclass(frozen=True)
class DeviceOutputs:
    """The file's side of a certificate.

    Attributes:
        kv: Number format of the key-value cache.
        info: The target, and the ids that begin and end a text.
        scores: One per prompt of the reference.
        logits: The wanted rows in the reference's order: shape (rows, n_vocab); empty if a reply could not be read.
        completions: Its own greedy replies to the prompts that the reference has answered; empty if its logits are not
            finite, so that nothing can be decoded.
    """

    kv: str
    info: TargetInfo
    scores: tuple[Scores, ...]
    logits: npt.NDArray[np.float32]
    completions: tuple[Completion, ...]


def read_rows(
    profile: Profile, artifact: Path, replies: Sequence[Reply], *, threads: int, prompt: str | None = None
) -> list[npt.NDArray[np.float32]]:
    """Run a file on some of the reference's replies on a target; return the wanted rows of logits of each.

    Raises:
        FddError: The file cannot be loaded, or cannot be asked with this prompt.
        TargetError: The target failed.
    """
    settings = Settings(Decoding(1, batch_size=1, threads=threads), kv="f32", return_ids=True)
    with open_session(profile, artifact, settings=settings, prompt=prompt) as session:
        scores = session.score([_to_score(reply) for reply in replies], lambda done: None)
        return [decode_rows(s.logits, len(r.rows)) for s, r in zip(scores, replies, strict=True)]


def read_file(
    profile: Profile, artifact: Path, reference: ReferenceOutputs, *, threads: int, prompt: str | None = None
) -> DeviceOutputs:
    """Run a file on the reference's prompts and replies on a target, and then let it answer the prompts itself.

    The key-value cache and attention are in float32 for every recipe, so that only the file is compared.

    Args:
        profile: The target.
        artifact: The model file.
        reference: The reference's side.
        threads: Number of threads to decode with.
        prompt: A prompt template, for a file that does not store one.

    Raises:
        FddError: The file cannot be loaded, or cannot be asked with this prompt.
        TargetError: The target failed.
    """
    # At most half of the prompts share a batch, so that others move into the places of those that are finished.
    batch = max(1, min(_BATCH, len(reference.answered) // 2))
    settings = Settings(Decoding(reference.max_new_tokens, batch, threads=threads), kv="f32", return_ids=True)
    to_score = [_to_score(reply) for reply in reference.replies]
    tasks = [Task(reply.id, 0, reply.question) for reply in reference.answered]
    title = f"parity of {artifact.parent.name}/{artifact.name}"
    with (
        open_session(profile, artifact, settings=settings, prompt=prompt) as session,
        progress(title, len(to_score) + len(tasks), "prompts") as advance,
    ):
        scores = tuple(session.score(to_score, advance))
        rows = [decode_rows(s.logits, len(r.rows)) for s, r in zip(scores, reference.replies, strict=True) if s.best]
        logits = np.concatenate(rows or [np.empty((0, 0), np.float32)])
        completions: tuple[Completion, ...] = ()
        if np.isfinite(logits).all():
            waves = session.complete(plan_waves(tasks), lambda n: advance(len(to_score) + n))
            results = {result.index: result for result in waves}  # the last of a wave counts
            completions = tuple(c for index in sorted(results) for c in results[index].completions)
    return DeviceOutputs(settings.kv, session.info, scores, logits, completions)


def _to_score(reply: Reply) -> Score:
    return Score(reply.id, reply.question, reply.prompt, reply.prompt_ids, reply.ids, reply.rows)
