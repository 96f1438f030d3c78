"""What a file does on the prompts of a certificate, on the device it will run on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fdd_edge.ondevice.logits_codec import decode_rows
from fdd_edge.ondevice.protocol import Completion, Score, Scores, Settings, TargetInfo, Task, plan_waves
from fdd_edge.parity.reference_outputs import ReferenceOutputs, Reply
from fdd_edge.progress import progress
from fdd_edge.targets import Profile, open_session

__all__ = ["DeviceOutputs", "read_file", "read_rows"]

_SEQUENCES = 16


@dataclass(frozen=True)
class DeviceOutputs:
    """The file's side of a certificate.

    Attributes:
        kv: Number format of the key-value cache.
        info: The target, and the ids that begin and end a text.
        scores: One a prompt of the record.
        logits: The wanted rows in the record's order: shape (rows, n_vocab); none where a reply could not be read.
        completions: Its own greedy replies to the prompts that the reference has answered; empty where its logits
            are no numbers, so that nothing can be decoded.
    """

    kv: str
    info: TargetInfo
    scores: tuple[Scores, ...]
    logits: npt.NDArray[np.float32]
    completions: tuple[Completion, ...]


def read_rows(
    profile: Profile, artifact: Path, replies: Sequence[Reply], *, threads: int, prompt: str | None = None
) -> list[npt.NDArray[np.float32]]:
    """Have a target read some of the reference's replies with a file; return the wanted rows of each.

    Raises:
        FddError: The file cannot be loaded, or asked this way.
        TargetError: The target failed.
    """
    settings = Settings(max_new_tokens=1, sequences=1, threads=threads, kv="f32", return_ids=True)
    asked = [Score(r.id, r.question, r.prompt, r.prompt_ids, r.ids, r.rows) for r in replies]
    with open_session(profile, artifact, settings=settings, prompt=prompt) as session:
        scores = session.score(asked, lambda done: None)
        return [decode_rows(s.logits, len(r.rows)) for s, r in zip(scores, replies, strict=True)]


def read_file(
    profile: Profile, artifact: Path, record: ReferenceOutputs, *, threads: int, prompt: str | None = None
) -> DeviceOutputs:
    """Have a target read the reference's prompts and replies with a file, and then answer by itself.

    The key-value cache is float32 and attention as well, for every recipe: the file alone is compared.

    Args:
        profile: The target.
        artifact: The model file.
        record: The reference's side.
        threads: To decode with.
        prompt: A template for a file that carries none.

    Raises:
        FddError: The file cannot be loaded, or asked this way.
        TargetError: The target failed.
    """
    settings = Settings(
        max_new_tokens=record.max_new_tokens, sequences=_SEQUENCES, threads=threads, kv="f32", return_ids=True
    )
    asked = [Score(r.id, r.question, r.prompt, r.prompt_ids, r.ids, r.rows) for r in record.replies]
    answered = record.answered
    tasks = [Task(r.id, 0, r.question) for r in answered]
    title = f"parity of {artifact.parent.name}/{artifact.name}"
    with (
        open_session(profile, artifact, settings=settings, prompt=prompt) as session,
        progress(title, len(asked) + len(tasks)) as advance,
    ):
        scores = tuple(session.score(asked, advance))
        rows = [decode_rows(s.logits, len(r.rows)) for s, r in zip(scores, record.replies, strict=True) if s.best]
        logits = np.concatenate(rows or [np.empty((0, 0), np.float32)])
        completions: tuple[Completion, ...] = ()
        if np.isfinite(logits).all():
            waves = session.complete(plan_waves(tasks), lambda n: advance(len(asked) + n))
            in_order = sorted(waves, key=lambda result: result.index)
            completions = tuple(c for result in in_order for c in result.completions)
    return DeviceOutputs(settings.kv, session.info, scores, logits, completions)
