"""Decoding an evaluation's waves on a target; a journal keeps the finished ones for a later call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from fdd_edge.artifacts.facts import describe_model
from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice.model_files import hash_model
from fdd_edge.ondevice.protocol import TargetInfo, Wave, WaveResult
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.kept_waves import KeptWaves
from fdd_edge.progress import Advance, announce, progress
from fdd_edge.runs.fingerprint import fingerprint, plain
from fdd_edge.runs.journal import Journal
from fdd_edge.targets import IDENTICAL_FIELDS, FalseAnswerError, Session, TargetRuntime, open_session

__all__ = ["Decoded", "decode_waves"]


class Decoded(NamedTuple):
    """All waves of an evaluation.

    Attributes:
        info: The device.
        results: The waves, in their order.
        seconds: Clock time; None if some waves were finished by an earlier call.
    """

    info: TargetInfo
    results: list[WaveResult]
    seconds: float | None


def decode_waves(
    waves: Sequence[Wave],
    path: Path,
    *,
    artifact: Path,
    sha256: str,
    runtime: TargetRuntime,
    asking: Asking,
    title: str,
) -> Decoded:
    """Decode the waves that the journal at ``path`` lacks.

    Args:
        waves: The waves.
        path: The journal. What it holds of other waves, another model, prompt, target or setting is not used.
        artifact: The model file.
        sha256: Its hash.
        runtime: Where it runs.
        asking: How.
        title: Shown next to the progress.

    Raises:
        FddError: The file is broken, or it was changed in the meantime.
        TargetError: The target failed.
    """
    made_from = [sha256, runtime, asking.on(runtime), list(waves)]
    journal = Journal(path, fingerprint(0, plain(made_from), {}))
    decoded = None
    try:
        while decoded is None:
            decoded = _decode(waves, journal, artifact=artifact, runtime=runtime, asking=asking, title=title)
    except FddError:
        # Half of another model fails in any way, such as by logits that are not finite.
        _check_unchanged(artifact, sha256, journal)
        raise
    # The runtime maps the file into memory: replies after a change in place are those of another model.
    _check_unchanged(artifact, sha256, journal)
    _check_prompts(waves, decoded.results, journal)
    return decoded


def _check_unchanged(artifact: Path, sha256: str, journal: Journal) -> None:
    """Refuse the replies of a model that is not the one that was asked.

    Raises:
        FddError: It was changed.
    """
    if not artifact.exists() or hash_model(artifact) != sha256:
        journal.drop()
        raise FddError(
            f"{artifact} was changed while it was being evaluated, so its replies belong to no file. Run the command "
            "again when nothing writes to it."
        ) from None


def _check_prompts(waves: Sequence[Wave], results: Sequence[WaveResult], journal: Journal) -> None:
    """Refuse waves of several runners that give one question different prompts: one of them is wrong.

    Raises:
        TargetError: There is such a question.
    """
    seen: dict[str, str] = {}
    for wave, result in zip(waves, results, strict=True):
        for task, reply in zip(wave.tasks, result.completions, strict=True):
            if seen.setdefault(task.question, reply.prompt_ids_sha) != reply.prompt_ids_sha:
                journal.drop()
                raise TargetError(
                    f"The runners of this target give the prompt of {task.problem_id!r} different ids, so their "
                    "replies do not belong together. Evaluate on one of them."
                )


def _decode(
    waves: Sequence[Wave], journal: Journal, *, artifact: Path, runtime: TargetRuntime, asking: Asking, title: str
) -> Decoded | None:
    """Decode what is missing; return None, and drop the journal, if that is of another device or prompt."""
    kept = KeptWaves(journal, waves, asking.settings(runtime), title)
    began, begun_before = time.monotonic(), bool(kept.finished)
    if len(kept.finished) < len(waves):
        with progress(title, sum(len(wave.tasks) for wave in waves), "problems") as advance:
            # More than once, if waves of earlier calls are withdrawn meanwhile.
            while missing := [wave for wave in waves if wave.index not in kept.finished]:
                n_before = sum(len(wave.tasks) for wave in waves if wave.index in kept.finished)
                on_progress = partial(_advance, advance, n_before)
                try:
                    began = _decode_missing(missing, kept, artifact, runtime, asking, on_progress)
                except _ChangedError as changed:
                    name = runtime.profile.name
                    announce(f"{title}: {changed} of {name} has changed, so the evaluation starts over")
                    journal.drop()
                    return None
    assert kept.info is not None
    results = [kept.finished[wave.index] for wave in waves]
    return Decoded(kept.info, results, None if begun_before else time.monotonic() - began)


class _ChangedError(Exception):
    """The kept waves are of another device or prompt; says in what they differ."""


def _advance(advance: Advance, n_before: int, n: int) -> None:
    advance(n_before + n)


def _decode_missing(
    missing: Sequence[Wave],
    kept: KeptWaves,
    artifact: Path,
    runtime: TargetRuntime,
    asking: Asking,
    on_progress: Callable[[int], None],
) -> float:
    """Decode waves in one session; return when it was open.

    Raises:
        _ChangedError: What is kept is of another device or prompt.
    """
    began = None
    try:
        with _open(artifact, runtime, asking, kept.info) as session:
            if kept.info is not None and (other := _differences(kept.info, session.info)):
                raise _ChangedError(other)
            began = time.monotonic()
            kept.describe(session.info)
            for result in session.complete(missing, on_progress, kept.withdraw):
                kept.describe(session.info)
                kept.add(result)
    except FalseAnswerError as error:
        if began is not None:
            kept.withdraw({wave.index for wave in missing} if error.waves is None else error.waves)
        raise
    return began


def _differences(one: TargetInfo, other: TargetInfo) -> str:
    """Return in what two sessions' devices or prompts differ; mixed rows would belong to neither."""
    return ", ".join(name for name in IDENTICAL_FIELDS if getattr(one, name) != getattr(other, name))


def _open(
    artifact: Path, runtime: TargetRuntime, asking: Asking, info: TargetInfo | None
) -> AbstractContextManager[Session]:
    """Open a session with the target, in which a chat template is given the time at which the evaluation began."""
    return open_session(
        runtime.profile,
        artifact,
        settings=asking.settings(runtime),
        prompt=asking.prompt,
        examples=asking.examples,
        rendered_at=info.rendered_at if info else None,
        stored_prompt=describe_model(artifact).prompt_template if asking.prompt is None else None,
    )
