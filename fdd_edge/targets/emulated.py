"""Another CPU on this machine: the runner under QEMU's user-mode emulation, in a root folder of that architecture.

QEMU runs one process and hands its system calls to this kernel, so nothing is mounted, nothing needs root, and files
are the host's own. It is the board's instruction set and the board's build of the runtime; its times are not the
board's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from fdd_edge.errors import TargetError
from fdd_edge.ondevice.protocol import Request
from fdd_edge.targets.local import run_here
from fdd_edge.targets.profile import Profile
from fdd_edge.targets.runner_session import RunnerSession
from fdd_edge.targets.sysroot import find_sysroot

__all__ = ["emulated_session", "processes"]


def processes(profile: Profile) -> int:
    """Return how many runners share the waves: the profile's number, else one a core."""
    return profile.processes or len(os.sched_getaffinity(0))


@contextmanager
def emulated_session(profile: Profile, request: Request) -> Iterator[RunnerSession]:
    """Run the packed runner on an emulated CPU."""
    root = find_sysroot(profile)
    if root is None:
        raise TargetError(f"{profile.name} has not been made yet: fdd-edge targets create {profile.argument}")
    again = f"fdd-edge targets clean {profile.argument} && fdd-edge targets create {profile.argument}"
    hint = (
        f" If it does so with every file, {profile.cpu} lacks an instruction that the runtime was compiled with "
        f"({' '.join(profile.build) or 'no options'}): fix cpu or build in {profile.argument}, then: {again}."
    )
    missing = TargetError(f"{profile.name} has lost its runtime; make the target again: {again}")
    command, variables = root.command(profile, ["serve"]), root.variables(profile)
    with run_here(command, request, build_hint=hint, missing=missing, variables=variables) as session:
        yield session
