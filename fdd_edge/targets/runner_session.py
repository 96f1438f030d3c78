"""The host's end of a connection to one runner, over any transport."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

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
from fdd_edge.targets.pipes import EndlessLineError, LineReader, SilenceError, StderrTail, exit_code, killing_after
from fdd_edge.targets.wave_check import fault_of

__all__ = ["Connection", "RunnerSession", "kill_owned", "owned", "signal_name"]

_EXIT_SECONDS = 2.0
"""How long a process that has finished its work may take to exit."""

_SILENCE_SECONDS = 3600.0
"""Time without a message after which a runner is considered hung. While it decodes, it sends one at every step; a slow
board may take minutes to load a model, or to read the prompts with which a wave begins."""

_WRITE_SECONDS = 600.0
"""How long a runner may take to read what it is sent."""

# What the longest honest messages need, in bytes of JSON.
_READY_BYTES = 4 << 20
"""A description of a model with its prompt, which may be a long chat template."""
_SHORT_BYTES = 64 << 10
"""Anything without a text of a model: a progress, a failure, the totals; also a completion without its texts."""
_TOKEN_BYTES = 256
"""A generated token, in the reply, again in its program, and as an id: most are 3 bytes long, a few 128, and JSON
writes a character that is not ASCII with 6."""
_ID_BYTES = 16
"""An id of a prompt, which has at most one for each of its bytes."""
_ROW_BYTES = (1 << 19) * 4 * 4 // 3
"""The logits of one position, in base64: twice the largest vocabulary known, Gemma's of 262,144 tokens."""
_MOST_BYTES = 128 << 20
"""A wave, whatever its size: it is parsed as a whole."""


class Connection(Protocol):
    """How a runner is reached, and how its failures are reported."""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process on this machine whose pipes lead to the runner."""

    @property
    def lines(self) -> LineReader:
        """The lines that come from that process."""

    @property
    def stderr(self) -> StderrTail:
        """What that process wrote to its stderr."""

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
        self._request: Request | None = None
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
        self._request = request
        self._send(request)
        event = self._receive(_READY_BYTES)
        if not isinstance(event, TargetInfo):
            raise TargetError(f"The runner answered with {type(event).__name__} while {self._doing}.")
        self._info = event

    def complete(self, waves: Iterable[Wave], on_progress: Callable[[int], None] | None = None) -> Iterator[WaveResult]:
        """Decode waves and yield each result when it is complete; see ``Session``."""
        n_before = 0
        for wave in waves:
            self._doing = f"decoding wave {wave.index} of {self._artifact}"
            self._send(wave)
            result = self._receive_result(wave, n_before, on_progress)
            n_before += len(result.completions)
            if on_progress:
                on_progress(n_before)
            yield result

    def _receive_result(self, wave: Wave, n_before: int, on_progress: Callable[[int], None] | None) -> WaveResult:
        """Wait for the result of a wave, which comes after ``n_before`` replies to others.

        Raises:
            TargetError: It is not of this wave, or it never comes: there are more messages about the progress than the
                wave has steps.
        """
        assert self._request is not None
        most = min(self._wave_bytes(wave), _MOST_BYTES)
        for _ in range(len(wave.tasks) * self._request.settings.decoding.max_new_tokens + 1):
            event = self._receive(most)
            if isinstance(event, WaveResult):
                if (fault := fault_of(event, wave, self._request.settings.answer)) is not None:
                    raise TargetError(f"The runner answered falsely while {self._doing}: {fault}.")
                return event
            if not isinstance(event, Progress) or not 0 <= event.finished <= len(wave.tasks):
                raise TargetError(f"The runner answered with {type(event).__name__} while {self._doing}.")
            if on_progress:
                on_progress(n_before + event.finished)
        raise TargetError(f"The runner reports progress without an end while {self._doing}; restart it.")

    def _wave_bytes(self, wave: Wave) -> int:
        """Return how long the message with the result of a wave can honestly be."""
        assert self._request is not None
        settings = self._request.settings
        n = len(wave.tasks) * (_SHORT_BYTES // 4 + settings.decoding.max_new_tokens * _TOKEN_BYTES)
        prompts = sum(self._prompt_bytes(task.question) for task in wave.tasks) if settings.return_ids else 0
        return _SHORT_BYTES + n + prompts * _ID_BYTES

    def _prompt_bytes(self, question: str) -> int:
        """Return an upper bound of the size of a prompt."""
        return len(encode(self._request)) + len(self.info.prompt.encode()) + len(question.encode())  # type: ignore[arg-type]

    def _score_bytes(self, text: Score) -> int:
        """Return how long the message with the scores of a text can honestly be."""
        prompts = self._prompt_bytes(text.question) + len(text.text.encode())
        ids = len(text.prompt_ids) + len(text.reply_ids)
        return _SHORT_BYTES + (2 * prompts + 2 * ids) * _ID_BYTES + len(text.rows) * _ROW_BYTES

    def score(self, texts: Iterable[Score], on_progress: Callable[[int], None] | None = None) -> Iterator[Scores]:
        """Score texts in their order; see ``Session``."""
        for n, text in enumerate(texts, start=1):
            self._doing = f"scoring {text.problem_id} with {self._artifact}"
            self._send(text)
            event = self._receive(self._score_bytes(text))
            if not isinstance(event, Scores):
                raise TargetError(f"The runner answered with {type(event).__name__} while {self._doing}.")
            if event.problem_id != text.problem_id or not _are_rows(event.logits, len(text.rows) if event.best else 0):
                raise TargetError(f"The runner sent the scores of another text while {self._doing}.")
            if on_progress:
                on_progress(n)
            yield event

    def close(self) -> None:
        """End the session and receive its totals."""
        self._doing = f"closing {self._artifact}"
        self._send(End())
        event = self._receive(_SHORT_BYTES)
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
        with (
            self._writing,
            suppress(BrokenPipeError, ValueError),
            killing_after(self._connection.process, _WRITE_SECONDS),
        ):
            stdin.write(line)
            stdin.flush()

    def _receive(self, most: int) -> Event:
        """Wait for the next message, which has at most that many bytes."""
        try:
            line = self._connection.lines.read(most=most, seconds=_SILENCE_SECONDS)
        except EndlessLineError:
            raise TargetError(
                f"The runner sent a message of more than {most / 1e6:.1f} MB while {self._doing}, which no runner of "
                "this version does. Check what answers there."
            ) from None
        except SilenceError:
            raise TargetError(
                f"The runner has sent nothing for {_SILENCE_SECONDS / 60:.0f} minutes while {self._doing}, so it "
                "hangs. Restart it."
            ) from None
        if not line.endswith(b"\n"):  # nothing, or a truncated line: the other end is gone
            raise self._connection.ended(exit_code(self._connection.process), self._doing)
        try:
            event = decode_event(line.decode(errors="replace"))
        except ProtocolError as error:
            raise TargetError(f"The runner sent an invalid message while {self._doing}: {error}.") from None
        if isinstance(event, Failure):
            raise self._connection.failed(event, self._doing)
        return event


def _are_rows(logits: str, n: int) -> bool:
    """Return whether a text has the length of ``n`` rows of float32 in base64."""
    n_bytes = len(logits) // 4 * 3 - logits[-2:].count("=")
    return n_bytes == 0 if n == 0 else n_bytes > 0 and n_bytes % (4 * n) == 0


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
