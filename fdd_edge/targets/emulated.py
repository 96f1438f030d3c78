"""Emulate another CPU on this machine: run the runner in QEMU's user mode, with a sysroot of that architecture.

QEMU emulates a single process and passes its system calls to this kernel, so nothing is mounted, nothing needs root,
and files are those of this machine. Instruction set and runtime build are the board's; speed is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fdd_edge.errors import TargetError
from fdd_edge.ondevice.device_info import logical_cpus
from fdd_edge.ondevice.protocol import Request
from fdd_edge.targets.local import child_session
from fdd_edge.targets.profile import Profile
from fdd_edge.targets.runner_session import RunnerSession
from fdd_edge.targets.sysroot import find_sysroot

__all__ = ["emulated_session", "n_processes"]


def n_processes(profile: Profile) -> int:
    """Return the number of runners that share the waves: the profile's, otherwise one per logical CPU."""
    return profile.processes or logical_cpus()


@contextmanager
def emulated_session(profile: Profile, request: Request) -> Iterator[RunnerSession]:
    """Hold a session with the packed runner on an emulated CPU."""
    root = find_sysroot(profile)
    if root is None:
        raise TargetError(f"{profile.name} has not been created yet. Run: fdd-edge targets create {profile.argument}")
    recreate = f"fdd-edge targets clean {profile.argument} && fdd-edge targets create {profile.argument}"
    hint = (
        f" If this happens with every model, the runtime was compiled for instructions that {profile.cpu} lacks "
        f"({' '.join(profile.build) or 'no options'}): correct cpu or build in {profile.argument}, then run: {recreate}"
    )
    missing = TargetError(f"The runtime of {profile.name} is missing. Create the target again: {recreate}")
    command, variables = root.command(profile, ["serve"]), root.variables(profile)
    with child_session(command, request, build_hint=hint, missing=missing, variables=variables) as session:
        yield session
