"""The host's end of the line to one runner, whatever the line runs over."""

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

__all__ = ["Line", "RunnerSession", "held", "kill_held", "last_words", "signal_name"]

_LAST_SECONDS = 2.0
"""A process that has said all it had to say may take so long to end."""

_STDERR_TAIL = 2000
"""Bytes of a process's stderr that may hold its last words."""


class Line(Protocol):
    """How a runner is reached, and how one speaks of it when it fails."""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process on this machine whose pipes lead to the runner."""

    @property
    def stderr(self) -> IO[bytes]:
        """What that process has said beside the protocol."""

    def ended(self, code: int, doing: str) -> TargetError:
        """Return what to say when the pipes closed in the middle of something, by that process's exit code."""

    def failed(self, failure: Failure, doing: str) -> FddError:
        """Return what to say of a failure that the runner has told."""


class RunnerSession:
    """A session with one runner: requests go down the line, events come back."""

    def __init__(self, line: Line, artifact: str) -> None:
        self._line = line
        self._artifact = artifact
        self._doing = f"loading {artifact}"
        self._writing = threading.Lock()
        self._info: TargetInfo | None = None
        self._totals: Totals | None = None

    @property
    def pid(self) -> int:
        """The id of the process on this machine."""
        return self._line.process.pid

    @property
    def info(self) -> TargetInfo:
        """What the target, its runtime and the loaded file are."""
        if self._info is None:
            raise RuntimeError("the session has not been opened")
        return self._info

    @property
    def runners(self) -> int:
        """One."""
        return 1

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
        """Decode waves and yield each result when it is whole; see ``Session``."""
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

    def say_still_here(self) -> None:
        """Tell the runner, from whatever thread, that somebody is at this end of the line."""
        self._write(b"\n")

    def _send(self, message: Request | Command) -> None:
        self._write(encode(message).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        stdin = self._line.process.stdin
        assert stdin is not None
        # A dead runner breaks the pipe; the reading end then finds out how it died.
        with self._writing, suppress(BrokenPipeError, ValueError):
            stdin.write(line)
            stdin.flush()

    def _receive(self) -> Event:
        stdout = self._line.process.stdout
        assert stdout is not None
        line = stdout.readline()
        if not line.endswith(b"\n"):  # nothing, or a line that was cut short: the other end has gone
            raise self._line.ended(self._line.process.wait(), self._doing)
        try:
            event = decode_event(line.decode(errors="replace"))
        except ProtocolError as error:
            raise TargetError(f"The runner said something else than events while {self._doing}: {error}.") from None
        if isinstance(event, Failure):
            raise self._line.failed(event, self._doing)
        return event


def last_words(stderr: IO[bytes], lines: int = 3) -> list[str]:
    """Return the last lines that a process has written to its stderr."""
    stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - _STDERR_TAIL))
    return stderr.read().decode(errors="replace").strip().splitlines()[-lines:]


def signal_name(number: int) -> str:
    """Return SIGKILL for 9."""
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


_HELD: dict[int, list[subprocess.Popen[bytes]]] = defaultdict(list)
"""Processes by the thread that has started them: a pool must be able to end what is still being opened."""


@contextmanager
def held(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave no process behind when the block ends: not this one, nor one it has started.

    One whose work is done, and whose pipes are closed for that, has a moment to end by itself.
    """
    mine = _HELD[threading.get_ident()]
    mine.append(process)
    done = False
    try:
        yield
        done = True
    finally:
        mine.remove(process)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()
        if done:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LAST_SECONDS)
        _kill(process)


def kill_held(thread: int | None) -> None:
    """Kill what a thread holds; whoever reads from it gets a ``TargetError``."""
    for process in list(_HELD.get(thread or 0, ())):
        with suppress(ProcessLookupError):
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:  # a reaped child's number may be another process's by now
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
