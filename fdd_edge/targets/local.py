"""This machine: run the packed runner in a child process, directly or in an emulator of another CPU.

The child's peak memory is that of the model alone, and a model that crashes its runtime only kills the child.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fdd_edge.errors import FddError, MissingExtraError, TargetError
from fdd_edge.ondevice.bootstrap import runner_environment
from fdd_edge.ondevice.families import device_family
from fdd_edge.ondevice.protocol import Failure, Request
from fdd_edge.targets.pipes import LineReader, StderrTail
from fdd_edge.targets.profile import Profile
from fdd_edge.targets.runner_archive import runner_archive
from fdd_edge.targets.runner_session import RunnerSession, owned, signal_name

__all__ = ["child_session", "clean_environment", "local_session"]

_BUILD_HINT = (
    " If this happens with every model, llama-cpp-python was compiled wrongly for this CPU. Rebuild it with:"
    " CMAKE_ARGS=-DGGML_NATIVE=OFF pip install --force-reinstall --no-deps --no-cache-dir llama-cpp-python"
)
"""GGML_NATIVE=OFF leaves out AMX, whose tile setup is compiled wrongly by GCC before 13, and features of other CPUs."""


@contextmanager
def local_session(profile: Profile, request: Request) -> Iterator[RunnerSession]:
    """Hold a session with the packed runner in a child process, which never outlives the block."""
    del profile
    command, family = [sys.executable, str(runner_archive()), "serve"], device_family(request.artifact)
    missing = MissingExtraError(family.packages[0], family.extra)
    with child_session(command, request, build_hint=_BUILD_HINT, missing=missing) as session:
        yield session


@contextmanager
def child_session(
    command: Sequence[str],
    request: Request,
    *,
    build_hint: str,
    missing: FddError,
    variables: Mapping[str, str] | None = None,
) -> Iterator[RunnerSession]:
    """Hold a session with a runner that a command on this machine starts.

    Args:
        command: The command that starts the runner.
        request: What it loads.
        build_hint: Added to the message if it dies as a wrongly compiled runtime does.
        missing: Raised if the runtime is not installed.
        variables: Added to its environment.
    """

    # In its own session, so that Ctrl-C reaches only the host, which then ends the child.
    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(os.environ) | dict(variables or {}),
            start_new_session=True,
        )

    with owned(start) as child:
        assert child.stdout is not None and child.stderr is not None
        connection = _Child(child, LineReader(child.stdout), StderrTail(child.stderr), build_hint, missing)
        session = RunnerSession(connection, request.artifact)
        session.open(request)
        yield session
        session.close()


@dataclass(frozen=True)
class _Child:
    """The connection to a child process."""

    process: subprocess.Popen[bytes]
    lines: LineReader
    stderr: StderrTail
    build_hint: str
    missing: FddError

    def ended(self, code: int, doing: str) -> TargetError:
        """Return an error that says how the child ended, with its last lines of output."""
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        lines = self.stderr.last_lines()
        output = f" Its last output was: {' | '.join(lines).rstrip('.')}." if lines else ""
        hint = self.build_hint if -code in (signal.SIGILL, signal.SIGSEGV) else ""
        return TargetError(f"The runner {how} while {doing}.{output}{hint}")

    def failed(self, failure: Failure, doing: str) -> FddError:
        """Return the error for a failure that the runner reported, of the user's or of the target's kind."""
        if failure.kind == "runtime_missing":
            return self.missing
        if failure.kind in ("internal", "device"):
            return TargetError(f"The runner failed while {doing}: {failure.message}")
        return FddError(failure.message)


def clean_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the child's environment: the few variables that a runner needs, see ``bootstrap.runner_environment``.

    Others would steer the runtime, on which rows must not depend, or hold secrets of the user's shell, which a fault in
    the runtime's reader of model files must not give away.
    """
    return runner_environment(variables)
