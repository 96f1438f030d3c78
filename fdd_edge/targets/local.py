"""The local transport: the packed runner in a child process.

Its peak memory is the model's own, and a file that crashes its runtime kills a child.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fdd_edge.errors import FddError, MissingExtraError, TargetError
from fdd_edge.ondevice.protocol import (
    Command,
    End,
    Event,
    Failure,
    Progress,
    ProtocolError,
    Request,
    Score,
    Scores,
    Settings,
    Shot,
    TargetInfo,
    Totals,
    Wave,
    WaveResult,
    decode_event,
    encode,
)
from fdd_edge.targets.runner_archive import runner_archive

__all__ = ["LocalSession", "local_session"]

_STEERING = ("GGML_", "LLAMA_", "OMP_", "PYTHON")
"""Prefixes of variables that steer the runtime or Python: rows must not depend on the user's shell."""

_NEEDED = frozenset({"LLAMA_CPP_LIB_PATH"})
"""Where llama-cpp-python finds its library, if it was moved."""

_STDERR_TAIL = 2000
"""Bytes of the child's stderr that may hold its last words."""

_BUILD_HINT = (
    " If it does so with every file, llama-cpp-python was compiled wrongly for this CPU: build it again, with"
    " CMAKE_ARGS=-DGGML_NATIVE=OFF pip install --force-reinstall --no-deps --no-cache-dir llama-cpp-python"
)
"""GGML_NATIVE=OFF leaves out AMX, whose tile set-up GCC before 13 compiles wrongly, and any other CPU's features."""


@contextmanager
def local_session(
    artifact: Path, settings: Settings, prompt: str | None, shots: Sequence[Shot]
) -> Iterator[LocalSession]:
    """Run the packed runner in a child process, which is gone when the block ends, however it ends."""
    with tempfile.TemporaryFile() as stderr:
        # Its own session: Ctrl-C reaches the host alone, which then ends the child.
        child = subprocess.Popen(
            [sys.executable, str(runner_archive()), "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=_environment(os.environ),
            start_new_session=True,
        )
        try:
            session = LocalSession(child, stderr, artifact)
            session.open(Request(str(artifact.resolve()), settings, prompt, tuple(shots)))
            yield session
            session.close()
        finally:
            _end(child)


class LocalSession:
    """The host's end of the pipe to one runner; made by ``local_session``."""

    def __init__(self, child: subprocess.Popen[bytes], stderr: IO[bytes], artifact: Path) -> None:
        self._child = child
        self._stderr = stderr
        self._artifact = artifact
        self._doing = f"loading {artifact}"
        self._info: TargetInfo | None = None
        self._totals: Totals | None = None

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    @property
    def info(self) -> TargetInfo:
        """What this machine, its runtime and the loaded file are."""
        if self._info is None:
            raise RuntimeError("the session has not been opened")
        return self._info

    @property
    def totals(self) -> Totals:
        """What the session cost; known once it is closed."""
        if self._totals is None:
            raise RuntimeError("the session is still open, or it failed")
        return self._totals

    def open(self, request: Request) -> None:
        """Send the request and wait until the file is loaded."""
        self._send(request)
        event = self._receive()
        if not isinstance(event, TargetInfo):
            raise TargetError(f"The runner answered with {type(event).__name__} while {self._doing}.")
        self._info = event

    def complete(self, waves: Iterable[Wave], on_progress: Callable[[int], None] | None = None) -> Iterator[WaveResult]:
        """Decode waves in their order and yield each result when it is whole; see ``Session``."""
        n_before = 0
        for wave in waves:
            self._doing = f"decoding wave {wave.index} of {self._artifact}"
            self._send(wave)
            while not isinstance(event := self._receive(), WaveResult):
                if isinstance(event, Progress) and on_progress:
                    on_progress(n_before + event.finished)
            n_before += len(event.completions)
            if on_progress:
                on_progress(n_before)
            yield event

    def score(self, texts: Iterable[Score], on_progress: Callable[[int], None] | None = None) -> Iterator[Scores]:
        """Score texts in their order; see ``Session``."""
        for n, text in enumerate(texts, start=1):
            self._doing = f"scoring {text.problem_id} with {self._artifact}"
            self._send(text)
            event = self._receive()
            if not isinstance(event, Scores):
                raise TargetError(f"The runner answered with {type(event).__name__} while {self._doing}.")
            if on_progress:
                on_progress(n)
            yield event

    def close(self) -> None:
        """Say that there are no more waves, and take the totals."""
        self._doing = f"closing {self._artifact}"
        self._send(End())
        event = self._receive()
        if not isinstance(event, Totals):
            raise TargetError(f"The runner answered with {type(event).__name__} while {self._doing}.")
        self._totals = event

    def _send(self, message: Request | Command) -> None:
        assert self._child.stdin is not None
        # A dead child breaks the pipe; the reading end then finds out how it died.
        with suppress(BrokenPipeError):
            self._child.stdin.write(encode(message).encode() + b"\n")
            self._child.stdin.flush()

    def _receive(self) -> Event:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise TargetError(self._death())
        try:
            event = decode_event(line.decode(errors="replace"))
        except ProtocolError as error:
            raise TargetError(f"The runner said something else than events while {self._doing}: {error}.") from None
        if isinstance(event, Failure):
            raise self._error(event)
        return event

    def _error(self, failure: Failure) -> FddError:
        if failure.kind == "runtime_missing":
            return MissingExtraError("llama-cpp-python", "gguf")
        if failure.kind == "internal":
            return TargetError(f"The runner failed while {self._doing}: {failure.message}")
        return FddError(failure.message)

    def _death(self) -> str:
        """Say in one sentence how the child ended, with its last words."""
        code = self._child.wait()
        how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        self._stderr.seek(max(0, self._stderr.seek(0, os.SEEK_END) - _STDERR_TAIL))
        tail = self._stderr.read().decode(errors="replace").strip()
        last_words = f" Its last words: {' | '.join(tail.splitlines()[-3:])}" if tail else ""
        hint = _BUILD_HINT if -code in (signal.SIGILL, signal.SIGSEGV) else ""
        return f"The runner {how} while {self._doing}.{hint}{last_words}"


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the child's environment: the host's, less what would steer the runtime."""
    return {k: v for k, v in variables.items() if k in _NEEDED or not k.startswith(_STEERING)}


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _end(child: subprocess.Popen[bytes]) -> None:
    """Leave no process behind: not the child, nor one it has started."""
    for pipe in (child.stdin, child.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()
    if child.poll() is None:  # a reaped child's number may be another process's by now
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
