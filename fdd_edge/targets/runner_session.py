"""The host's end of a connection to one runner, over any transport."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Protocol

from fdd_edge.errors import FddError, TargetError
from fdd_edge.interrupt import deferred
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
from fdd_edge.progress import warn, working
from fdd_edge.targets.pipes import EndlessLineError, LineReader, SilenceError, StderrTail, exit_code, killing_after
from fdd_edge.targets.score_check import fault_of_scores, row_bytes
from fdd_edge.targets.session import FalseAnswerError, OnWithdrawn
from fdd_edge.targets.wave_check import SeenPrompts, fault_of

__all__ = ["Connection", "RunnerSession", "kill_owned", "owned", "signal_name"]

_EXIT_SECONDS = 2.0
"""How long a process that has finished its work may take to exit."""

_SILENCE_SECONDS = 3600.0
"""Time without a message after which a runner is considered hung. While it decodes, it sends one at every step; a slow
board may take minutes to load a model, or to read the prompts with which a wave begins."""

_PATIENT_SECONDS = 60.0
"""Time without a message after which the user is told what is being waited for: it may also never end."""

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
_MESSAGE_LENGTH = 4000
"""Of the reason for a failure, in characters: it is shown."""
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
        self._has_warned = False
        self._request: Request | None = None
        self._info: TargetInfo | None = None
        self._totals: Totals | None = None
        self._prompts: SeenPrompts = {}
        self._row_bytes: int | None = None

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
        with working(self._doing):
            self._send(request)
            event = self._receive(_READY_BYTES)
        if not isinstance(event, TargetInfo):
            raise FalseAnswerError(f"The runner answered with {type(event).__name__} while {self._doing}.")
        self._info = event

    def complete(
        self,
        waves: Iterable[Wave],
        on_progress: Callable[[int], None] | None = None,
        on_withdrawn: OnWithdrawn | None = None,
    ) -> Iterator[WaveResult]:
        """Decode waves and yield each result when it is complete; see ``Session``."""
        del on_withdrawn  # there is no other runner that could decode them again
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
            FalseAnswerError: It is not of this wave, or it never comes: there are more messages about the progress than
                the wave has steps.
        """
        assert self._request is not None
        settings, n_ctx = self._request.settings, self.info.n_ctx_train
        most = min(self._wave_bytes(wave), _MOST_BYTES)
        for _ in range(len(wave.tasks) * settings.decoding.max_new_tokens + 1):
            event = self._receive(most)
            if isinstance(event, WaveResult):
                if (fault := fault_of(event, wave, settings, n_ctx=n_ctx, seen=self._prompts)) is not None:
                    raise FalseAnswerError(f"The runner answered falsely while {self._doing}: {fault}.")
                return event
            if not isinstance(event, Progress) or event.index != wave.index or event.finished > len(wave.tasks):
                raise FalseAnswerError(f"The runner answered with {type(event).__name__} while {self._doing}.")
            if on_progress:
                on_progress(n_before + event.finished)
        raise FalseAnswerError(f"The runner reports progress without an end while {self._doing}; restart it.")

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
                raise FalseAnswerError(f"The runner answered with {type(event).__name__} while {self._doing}.")
            if (fault := fault_of_scores(event, text, self._row_bytes)) is not None:
                raise FalseAnswerError(f"The runner answered falsely while {self._doing}: {fault}.")
            self._row_bytes = row_bytes(event.logits, len(text.rows) if event.best else 0) or self._row_bytes
            if on_progress:
                on_progress(n)
            yield event

    def close(self) -> None:
        """End the session and receive its totals."""
        self._doing = f"closing {self._artifact}"
        self._send(End())
        event = self._receive(_SHORT_BYTES)
        if not isinstance(event, Totals):
            raise FalseAnswerError(f"The runner answered with {type(event).__name__} while {self._doing}.")
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
            line = self._read(most)
        except EndlessLineError:
            raise FalseAnswerError(
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
            raise FalseAnswerError(f"The runner sent an invalid message while {self._doing}: {error}.") from None
        if isinstance(event, Failure):
            raise self._connection.failed(replace(event, message=event.message[:_MESSAGE_LENGTH]), self._doing)
        return event

    def _read(self, most: int) -> bytes:
        """Wait for the next line; tell the user once if that takes unusually long."""
        with suppress(SilenceError):
            return self._connection.lines.read(most=most, seconds=_PATIENT_SECONDS)
        if not self._has_warned:
            self._has_warned = True
            warn(
                f"The runner has sent nothing for {_PATIENT_SECONDS:.0f} s while {self._doing}. A slow device may take "
                "minutes, and a hostile model has no end; Ctrl-C stops it."
            )
        return self._connection.lines.read(most=most, seconds=_SILENCE_SECONDS - _PATIENT_SECONDS)


def signal_name(number: int) -> str:
    """Return the name of a signal, such as SIGKILL for 9."""
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


_OWNED: dict[int, list[subprocess.Popen[bytes]]] = defaultdict(list)
"""Processes by the thread that started them, so that a pool can end sessions that are still being opened."""


@contextmanager
def owned(start: Callable[[], subprocess.Popen[bytes]]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process, and end it and all that it started when the block ends.

    If the block succeeded, the process first gets a moment to exit by itself, after its pipes were closed.
    """
    mine = _OWNED[threading.get_ident()]
    process: subprocess.Popen[bytes] | None = None
    succeeded = False
    try:
        with deferred():
            process = start()
            mine.append(process)
        yield process
        succeeded = True
    finally:
        if process is not None:
            mine.remove(process)
            _end(process, at_once=not succeeded)


def _end(process: subprocess.Popen[bytes], *, at_once: bool) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()
    if not at_once:
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
