"""Decoding an evaluation's waves on a target; a journal keeps the finished ones for a later call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import hash_model
from fdd_edge.ondevice.protocol import Event, ProtocolError, TargetInfo, Wave, WaveResult, decode_event, encode
from fdd_edge.operations.asking import Asking
from fdd_edge.progress import announce, progress
from fdd_edge.runs.fingerprint import fingerprint, plain
from fdd_edge.runs.journal import Journal
from fdd_edge.targets import IDENTICAL_FIELDS, TargetRuntime, open_session

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
    while decoded is None:
        decoded = _decode(waves, journal, artifact=artifact, runtime=runtime, asking=asking, title=title)
    # The runtime maps the file into memory: replies after a change in place are those of another model.
    if hash_model(artifact) != sha256:
        journal.drop()
        raise FddError(
            f"{artifact} was changed while it was being evaluated, so its replies belong to no file. Run the command "
            "again when nothing writes to it."
        )
    return decoded


def _decode(
    waves: Sequence[Wave], journal: Journal, *, artifact: Path, runtime: TargetRuntime, asking: Asking, title: str
) -> Decoded | None:
    """Decode what is missing; return None, and drop the journal, if that is of another device or prompt."""
    info, finished = _read(journal)
    kept: list[Event] = [*([info] if info else []), *finished.values()]
    journal.rewrite(encode(event) for event in kept)
    missing = [wave for wave in waves if wave.index not in finished]
    began, begun_before = time.monotonic(), bool(finished)
    total, left = (sum(len(wave.tasks) for wave in some) for some in (waves, missing))
    if missing:
        with progress(title, total) as advance:
            # A chat template that prints the date is given the time at which the evaluation began.
            began_at = info.rendered_at if info else None
            for event in _run(artifact, runtime, asking, missing, lambda n: advance(total - left + n), began_at):
                if isinstance(event, TargetInfo) and info is not None and (other := _differences(info, event)):
                    announce(f"{title}: {other} of {runtime.profile.name} has changed, so the evaluation starts over")
                    journal.drop()
                    return None
                journal.append(encode(event))
                if isinstance(event, TargetInfo):
                    info, began = event, time.monotonic()
                else:
                    finished[event.index] = event
    assert info is not None  # the first line of a journal that holds a wave
    results = [finished[wave.index] for wave in waves]
    return Decoded(info, results, None if begun_before else time.monotonic() - began)


def _differences(one: TargetInfo, other: TargetInfo) -> str:
    """Return in what two sessions' devices or prompts differ; mixed rows would belong to neither."""
    return ", ".join(name for name in IDENTICAL_FIELDS if getattr(one, name) != getattr(other, name))


def _run(
    artifact: Path,
    runtime: TargetRuntime,
    asking: Asking,
    waves: Sequence[Wave],
    on_progress: Callable[[int], None],
    rendered_at: str | None,
) -> Iterator[TargetInfo | WaveResult]:
    """Yield what the target reports about itself, then finished waves."""
    with open_session(
        runtime.profile,
        artifact,
        settings=asking.settings(runtime),
        prompt=asking.prompt,
        examples=asking.examples,
        rendered_at=rendered_at,
    ) as session:
        yield session.info
        yield from session.complete(waves, on_progress)


def _read(journal: Journal) -> tuple[TargetInfo | None, dict[int, WaveResult]]:
    """Read the finished waves and their device."""
    info: TargetInfo | None = None
    finished: dict[int, WaveResult] = {}
    for line in journal.read():
        try:
            event = decode_event(line)
        except ProtocolError:
            break  # of another version of the protocol
        if isinstance(event, TargetInfo):
            info = event
        elif isinstance(event, WaveResult):
            finished[event.index] = event
    return (info, finished) if info else (None, {})
