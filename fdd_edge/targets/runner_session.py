"""The host's end of a connection to one runner, over any transport."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Protocol

from fdd_edge.errors import FddError, TargetError
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
    TargetInfo,
    Totals,
    Wave,
    WaveResult,
    decode_event,
    encode,
)

__all__ = ["Connection", "RunnerSession", "kill_owned", "last_lines", "owned", "signal_name"]

_EXIT_SECONDS = 2.0
"""How long a process that has finished its work may take to exit."""

_STDERR_TAIL = 2000
"""Bytes at the end of a process's stderr that are read for error messages."""


class Connection(Protocol):
    """How a runner is reached, and how its failures are reported."""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process on this machine whose pipes lead to the runner."""

    @property
    def stderr(self) -> IO[bytes]:
        """The stderr of that process."""

    def ended(self, code: int, doing: str) -> TargetError:
        """Return the error for pipes that closed unexpectedly, given that process's exit code."""

    def failed(self, failure: Failure, doing: str) -> FddError:
        """Return the error for a failure that the runner reported."""


class RunnerSession:
    """A session with one runner, which answers requests with events."""

    def __init__(self, connection: Connection, artifact: str) -> None:
        self._connection = connection
        self._artifact = artifact
        self._doing = f"loading {artifact}"
        self._writing = threading.Lock()
        self._info: TargetInfo | None = None
        self._totals: Totals | None = None

    @property
    def pid(self) -> int:
        """The id of the process on this machine."""
        return self._connection.process.pid

    @property
    def info(self) -> TargetInfo:
        """Describes the target, its runtime and the loaded model."""
        if self._info is None:
            raise RuntimeError("the session has not been opened")
        return self._info

    @property
    def runners(self) -> int:
        """Number of runners: 1."""
        return 1

    @property
    def totals(self) -> Totals:
        """What the session cost; available once it is closed."""
        if self._totals is None:
            raise RuntimeError("the session is still open, or it failed")
        return self._totals

    def open(self, request: Request) -> None:
        """Send the request and wait until the model is loaded."""
        self._send(request)
        event = self._receive()
        if not isinstance(event, TargetInfo):
            raise TargetError(f"The runner answered with {type(event).__name__} while {self._doing}.")
        self._info = event

    def complete(self, waves: Iterable[Wave], on_progress: Callable[[int], None] | None = None) -> Iterator[WaveResult]:
        """Decode waves and yield each result when it is complete; see ``Session``."""
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
        """End the session and receive its totals."""
        self._doing = f"closing {self._artifact}"
        self._send(End())
        event = self._receive()
        if not isinstance(event, Totals):
            raise TargetError(f"The runner answered with {type(event).__name__} while {self._doing}.")
        self._totals = event

    def send_heartbeat(self) -> None:
        """Show the runner that the host is alive; may be called from any thread."""
        self._write(b"\n")

    def _send(self, message: Request | Command) -> None:
        self._write(encode(message).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        stdin = self._connection.process.stdin
        assert stdin is not None
        # If the runner is dead, the pipe is broken; reading then reports how it died.
        with self._writing, suppress(BrokenPipeError, ValueError):
            stdin.write(line)
            stdin.flush()

    def _receive(self) -> Event:
        stdout = self._connection.process.stdout
        assert stdout is not None
        line = stdout.readline()
        if not line.endswith(b"\n"):  # nothing, or a truncated line: the other end is gone
            raise self._connection.ended(self._connection.process.wait(), self._doing)
        try:
            event = decode_event(line.decode(errors="replace"))
        except ProtocolError as error:
            raise TargetError(f"The runner sent an invalid message while {self._doing}: {error}.") from None
        if isinstance(event, Failure):
            raise self._connection.failed(event, self._doing)
        return event


def last_lines(stderr: IO[bytes], lines: int = 3) -> list[str]:
    """Return the last lines that a process wrote to its stderr."""
    stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - _STDERR_TAIL))
    return stderr.read().decode(errors="replace").strip().splitlines()[-lines:]


def signal_name(number: int) -> str:
    """Return the name of a signal, such as SIGKILL for 9."""
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


_OWNED: dict[int, list[subprocess.Popen[bytes]]] = defaultdict(list)
"""Processes by the thread that started them, so that a pool can end sessions that are still being opened."""


@contextmanager
def owned(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process and all that it started when the block ends.

    If the block succeeded, the process first gets a moment to exit by itself, after its pipes were closed.
    """
    mine = _OWNED[threading.get_ident()]
    mine.append(process)
    succeeded = False
    try:
        yield
        succeeded = True
    finally:
        mine.remove(process)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()
        if succeeded:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_EXIT_SECONDS)
        _kill(process)


def kill_owned(thread: int | None) -> None:
    """Kill the processes of a thread; a session that reads from one raises ``TargetError``."""
    for process in list(_OWNED.get(thread or 0, ())):
        with suppress(ProcessLookupError):
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:  # the id of a reaped child may belong to another process by now
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
