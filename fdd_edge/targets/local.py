"""This machine: the packed runner in a child process, as it is, or in an emulator of another CPU.

Its peak memory is the model's own, and a file that crashes its runtime kills a child.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from fdd_edge.errors import FddError, MissingExtraError, TargetError
from fdd_edge.ondevice.bootstrap import STEERING
from fdd_edge.ondevice.model_files import family_of
from fdd_edge.ondevice.protocol import Failure, Request
from fdd_edge.targets.profile import Profile, packages_for
from fdd_edge.targets.runner_archive import runner_archive
from fdd_edge.targets.runner_session import RunnerSession, held, last_words, signal_name

__all__ = ["clean_environment", "local_session", "run_here"]

_STEERING = (*STEERING, "QEMU_")
"""Prefixes of variables that steer the runtime, Python or the emulator: rows must not depend on the user's shell."""

_NEEDED = frozenset({"LLAMA_CPP_LIB_PATH"})
"""Where llama-cpp-python finds its library, if it was moved."""

_BUILD_HINT = (
    " If it does so with every file, llama-cpp-python was compiled wrongly for this CPU: build it again, with"
    " CMAKE_ARGS=-DGGML_NATIVE=OFF pip install --force-reinstall --no-deps --no-cache-dir llama-cpp-python."
)
"""GGML_NATIVE=OFF leaves out AMX, whose tile set-up GCC before 13 compiles wrongly, and any other CPU's features."""


@contextmanager
def local_session(profile: Profile, request: Request) -> Iterator[RunnerSession]:
    """Run the packed runner in a child process, which is gone when the block ends, however it ends."""
    del profile
    command, family = [sys.executable, str(runner_archive()), "serve"], family_of(request.artifact)
    missing = MissingExtraError(packages_for(family)[0], family)  # the extras are named as the families are
    with run_here(command, request, build_hint=_BUILD_HINT, missing=missing) as session:
        yield session


@contextmanager
def run_here(
    command: Sequence[str],
    request: Request,
    *,
    build_hint: str,
    missing: FddError,
    variables: Mapping[str, str] | None = None,
) -> Iterator[RunnerSession]:
    """Hold a session with a runner that a command on this machine starts.

    Args:
        command: Starts it.
        request: What it is to load.
        build_hint: Said where it dies as a wrongly compiled runtime does.
        missing: Raised where the runtime is not installed.
        variables: Added to its environment.
    """
    with tempfile.TemporaryFile() as stderr:
        # Its own session: Ctrl-C reaches the host alone, which then ends the child.
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=clean_environment(os.environ) | dict(variables or {}),
            start_new_session=True,
        )
        with held(child):
            session = RunnerSession(_Child(child, stderr, build_hint, missing), request.artifact)
            session.open(request)
            yield session
            session.close()


@dataclass(frozen=True)
class _Child:
    """The line to a child process."""

    process: subprocess.Popen[bytes]
    stderr: IO[bytes]
    build_hint: str
    missing: FddError

    def ended(self, code: int, doing: str) -> TargetError:
        """Say in one sentence how the child ended, with its last words."""
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        words = last_words(self.stderr)
        said = f" Its last words: {' | '.join(words)}" if words else ""
        hint = self.build_hint if -code in (signal.SIGILL, signal.SIGSEGV) else ""
        return TargetError(f"The runner {how} while {doing}.{hint}{said}")

    def failed(self, failure: Failure, doing: str) -> FddError:
        """Tell the user's faults from the runner's own."""
        if failure.kind == "runtime_missing":
            return self.missing
        if failure.kind in ("internal", "device"):
            return TargetError(f"The runner failed while {doing}: {failure.message}")
        return FddError(failure.message)


def clean_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the child's environment: the host's, less what would steer the runtime."""
    return {k: v for k, v in variables.items() if k in _NEEDED or not k.startswith(_STEERING)}
