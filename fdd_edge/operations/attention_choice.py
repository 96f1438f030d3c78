"""Which attention a target decodes with: it is measured there once, and then part of what an evaluation depends on."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from fdd_edge.artifacts.facts import describe_model, model_bytes
from fdd_edge.cache import cache_folder
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.model_files import model_in
from fdd_edge.ondevice.protocol import Decoding, Settings
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.runtime_build import build_of
from fdd_edge.progress import announce, working
from fdd_edge.runs.atomic import write_shared
from fdd_edge.runs.fingerprint import fingerprint, plain
from fdd_edge.targets import Profile, TargetRuntime, first_answering, open_session

__all__ = ["ATTENTION", "decide_attention", "measure_attention", "read_attention"]

ATTENTION = "attention"
"""The folder of the cache."""

_VERSION = 1
"""Raised when what is measured changes."""


class _Choice(NamedTuple):
    """Which attention a target decodes with, and the times of a token for each reply of a batch by which it chose."""

    flash: bool
    standard_seconds: float | None
    flash_seconds: float | None

    def to_bytes(self) -> bytes:
        return json.dumps(self._asdict(), allow_nan=False).encode() + b"\n"


def measure_attention(out: Path, *, artifact: Path, runtime: TargetRuntime, threads: int, batch_size: int) -> None:
    """Let a target choose its attention, and write the choice to the file ``out``.

    Args:
        out: The file.
        artifact: A GGUF file, or its folder; the choice is meant for all files of the same shape.
        runtime: Where it runs; the first board of a pool that answers measures for all of them.
        threads: Of the runtime.
        batch_size: Replies that are decoded together.

    Raises:
        FddError: The file is broken.
        TargetError: The target failed.
    """
    out.write_bytes(_measure(artifact, runtime.profile, threads, batch_size).to_bytes())


def read_attention(path: Path) -> bool:
    """Read back whether flash attention was chosen."""
    return _Choice(**parse_json(path.read_text(encoding="utf-8"))).flash


def decide_attention(asking: Asking, runtime: TargetRuntime, artifact: Path) -> Asking:
    """Return how a file is asked outside a run, with the threads and the attention that the target will use.

    A choice is kept in the cache, for all files of one shape: so a file that is evaluated again is decoded alike.

    Raises:
        FddError: The file is broken.
        TargetError: The target failed.
    """
    asking = asking.on(runtime)
    if not asking.leaves_attention_open(runtime):
        return asking
    facts, threads, batch_size = describe_model(artifact), runtime.threads(asking.decoding.threads), asking.together
    depends = {
        "build": build_of(runtime),
        "shape": [facts.architecture, facts.parameters or model_bytes(artifact)],
        "threads": threads,
        "batch_size": batch_size,
    }
    kept = cache_folder(ATTENTION) / f"{fingerprint(_VERSION, plain(depends), {})}.json"
    if (found := _kept(kept)) is not None:
        return asking.with_attention(flash=found)
    with working("choosing the attention"):
        choice = _measure(artifact, runtime.profile, threads, batch_size)
    if (found := _kept(kept)) is None:  # unless another process was faster
        found = choice.flash
        with suppress(OSError):  # a cache that cannot be written: it is measured again next time
            write_shared(kept, choice.to_bytes())
    return asking.with_attention(flash=found)


def _kept(path: Path) -> bool | None:
    """Return a choice that is in the cache; None if there is none, or a damaged one."""
    with suppress(OSError, ValueError, TypeError):
        return read_attention(path)
    return None


def _measure(artifact: Path, profile: Profile, threads: int, batch_size: int) -> _Choice:
    decoding = Decoding(batch_size=batch_size, threads=threads, wave=batch_size)
    return first_answering(profile, partial(_measure_on, artifact=Path(model_in(artifact)), decoding=decoding))


def _measure_on(board: Profile, *, artifact: Path, decoding: Decoding) -> _Choice:
    settings = Settings(decoding, choose_attention=True)
    with open_session(board, artifact, settings=settings, prompt="{question}", fresh=True) as session:
        info = session.info
    choice = _Choice(info.flash_attention, info.standard_step_seconds, info.flash_step_seconds)
    if choice.standard_seconds is not None and choice.flash_seconds is not None:
        faster = "faster with" if choice.flash else "not faster with"
        announce(
            f"{board.name}: {decoding.batch_size} replies at a time are {faster} flash attention: a token of each "
            f"takes {1000 * choice.flash_seconds:.3g} ms, and {1000 * choice.standard_seconds:.3g} ms without it"
        )
    return choice
