"""Where artifacts run: device profiles, and sessions that push a file and the runner and yield completions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.ondevice.protocol import Settings, Shot, TargetInfo, Totals, plan_waves
from fdd_edge.targets.local import local_session
from fdd_edge.targets.profile import Profile, load_profile, resolve_threads, runtime_version
from fdd_edge.targets.session import Session

__all__ = [
    "Profile",
    "Session",
    "TargetInfo",
    "Totals",
    "load_profile",
    "open_session",
    "plan_waves",
    "resolve_threads",
    "runtime_version",
]


@contextmanager
def open_session(
    profile: Profile,
    artifact: Path,
    *,
    settings: Settings,
    prompt: str | None = None,
    shots: Sequence[Shot] = (),
) -> Iterator[Session]:
    """Load an artifact on a target and hold it open.

    Args:
        profile: The target.
        artifact: A model file on this machine.
        settings: How to decode. ``threads`` is taken as it is: see ``resolve_threads``.
        prompt: A template with ``{question}``, ``chat``, or None for the file's own.
        shots: Worked examples.

    Yields:
        The session; its ``totals`` are there once the block has ended.

    Raises:
        FddError: The file is broken, or it cannot be asked this way.
        MissingExtraError: The runtime is not installed.
        TargetError: The runner died.
    """
    if not artifact.is_file():
        raise FddError(f"{artifact} is a folder, not a file." if artifact.is_dir() else f"{artifact} does not exist.")
    transports = {"local": local_session}
    with transports[profile.transport](artifact, settings, prompt, shots) as session:
        yield session
