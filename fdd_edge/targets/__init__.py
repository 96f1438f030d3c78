"""Targets: device profiles, and sessions that send an artifact and the runner to a device and return completions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from fdd_edge.errors import FddError, TargetError, no_file
from fdd_edge.ondevice.protocol import Request, Settings, Shot, TargetInfo, Totals, plan_waves
from fdd_edge.ondevice.runtime_versions import RUNTIME_VERSIONS
from fdd_edge.progress import warn
from fdd_edge.targets.emulated import emulated_session, n_processes
from fdd_edge.targets.info_check import fault_of_info
from fdd_edge.targets.local import local_session
from fdd_edge.targets.pool import Board, pool_session
from fdd_edge.targets.profile import (
    Budgets,
    Profile,
    device_facts,
    is_emulated,
    load_profile,
    packages_for,
    resolve_threads,
    runtime_version,
)
from fdd_edge.targets.runner_archive import runner_archive
from fdd_edge.targets.session import IDENTICAL_FIELDS, FalseAnswerError, Session
from fdd_edge.targets.ssh import ssh_session
from fdd_edge.targets.target_runtime import TargetRuntime

__all__ = [
    "IDENTICAL_FIELDS",
    "RUNTIME_VERSIONS",
    "Budgets",
    "FalseAnswerError",
    "Profile",
    "Session",
    "TargetInfo",
    "TargetRuntime",
    "Totals",
    "device_facts",
    "first_answering",
    "is_emulated",
    "load_profile",
    "n_runners",
    "open_session",
    "packages_for",
    "plan_waves",
    "resolve_threads",
    "runner_archive",
    "runtime_version",
]

T = TypeVar("T")

_Open = Callable[[Profile, Request], AbstractContextManager[Session]]


@contextmanager
def open_session(
    profile: Profile,
    artifact: Path,
    *,
    settings: Settings,
    prompt: str | None = None,
    examples: Sequence[Shot] = (),
    fresh: bool = False,
    rendered_at: str | None = None,
    stored_prompt: str | None = None,
) -> Iterator[Session]:
    """Load an artifact on a target and hold it open.

    Args:
        profile: The target.
        artifact: A model file on this machine.
        settings: How to decode; ``resolve_threads`` gives the number of threads.
        prompt: A template with ``{question}``, ``chat``, or None for the template stored in the file.
        examples: Worked examples in the prompt.
        fresh: Decode every wave, even if the board has a stored result; for measuring.
        rendered_at: The local time that a chat template is given, as ISO 8601, on every board; None for now.
        stored_prompt: The template stored in the file, if the caller has read it: the runner must find the same one.

    Yields:
        The session. Its ``totals`` are available once the block has ended.

    Raises:
        FddError: The file is broken, or the prompt does not fit it.
        MissingExtraError: The runtime is not installed.
        TargetError: The target cannot be reached, or its runner failed.
    """
    if not artifact.is_file():
        raise no_file(artifact)
    # Links are not followed: those of the hub client's cache point to files whose names say nothing.
    moment = rendered_at or datetime.now().isoformat()
    request = Request(str(artifact.absolute()), settings, prompt, tuple(examples), fresh, moment)
    is_pool = profile.transport == "pool"
    profiles = [load_profile(board) for board in profile.pool] if is_pool else [profile] * n_runners(profile)
    boards = [Board(each.name, partial(_open, each, request, stored_prompt)) for each in profiles]
    if len(boards) == 1:
        with boards[0].open() as session:
            yield session
    else:
        with pool_session(boards) as shared:
            yield shared


def n_runners(profile: Profile) -> int:
    """Return the number of runners that share the waves of a target."""
    if profile.transport == "emulated":
        return n_processes(profile)
    return len(profile.pool) or profile.processes or 1


def first_answering(profile: Profile, ask: Callable[[Profile], T]) -> T:
    """Ask a single runner: a target's only one, or the first board of a pool that answers.

    Args:
        profile: The target. The boards of a pool are equal, so any of them answers for all.
        ask: Is called with the profile of the runner.

    Raises:
        FddError: What the last board says.
    """
    boards = [load_profile(board) for board in profile.pool] or [profile]
    *others, last = (board.model_copy(update={"processes": 1}) for board in boards)
    for board in others:
        try:
            return ask(board)
        except FddError as error:  # also if it says that the file is broken: others may be able to read it
            warn(f"{board.name}: {error} Measuring another board of the pool.")
    return ask(last)


_TRANSPORTS: Mapping[str, _Open] = {"local": local_session, "ssh": ssh_session, "emulated": emulated_session}


@contextmanager
def _open(profile: Profile, request: Request, stored_prompt: str | None) -> Iterator[Session]:
    """Open a session, and check that the device matches its profile, and its description what it was sent."""
    with _TRANSPORTS[profile.transport](profile, request) as session:
        if mismatch := profile.mismatch(session.info.machine, session.info.cpu_features):
            raise TargetError(f"{profile.name} {mismatch}")
        if fault := fault_of_info(session.info, request, stored_prompt):
            raise FalseAnswerError(f"{profile.name} answered falsely: {fault}.")
        yield session
