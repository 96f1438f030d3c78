"""A session with a host: load the model once, then answer one command after another."""

from __future__ import annotations

import functools
import math
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple, TextIO

from . import device_info
from .board_store import BoardDir, WaveStore, lock_board
from .families import device_family
from .memory_limit import limit_memory
from .prompt import Prompt, make_prompt
from .protocol import (
    PROTOCOL,
    End,
    Event,
    Failure,
    Progress,
    ProtocolError,
    Request,
    RunnerError,
    Score,
    Scores,
    Settings,
    Shot,
    TargetInfo,
    Totals,
    Wave,
    decode_command,
    decode_request,
    encode,
)

if TYPE_CHECKING:
    from .batching import Decoder
    from .runtime import Model

__all__ = ["Loaded", "load", "serve", "take_stdout"]

_PROGRESS_SECONDS = 0.3
"""Minimum time between two progress events. Sending one is also how a runner notices that its host is gone."""


class Loaded(NamedTuple):
    """A loaded model: how to decode and score with it, its description, and the prompt that it is asked with."""

    decoder: Decoder
    score: Callable[[Score], Scores]
    info: TargetInfo
    prompt: Prompt


def take_stdout() -> TextIO:
    """Return a private stream to the process's stdout, and redirect everything else that is printed to stderr.

    llama.cpp prints to stdout from C, and nothing may come between the lines of the protocol.
    """
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n", buffering=1)
    try:
        os.dup2(2, 1)
    except OSError:  # stderr is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return stream


@contextmanager
def load(
    artifact: str,
    prompt: str | None,
    shots: Sequence[Shot],
    settings: Settings,
    rendered_at: str | None = None,
) -> Iterator[Loaded]:
    """Load a model file and hold it open.

    Args:
        artifact: The file.
        prompt: As in a ``Request``.
        shots: Worked examples.
        settings: How to decode.
        rendered_at: The local time that a chat template is given; None for this device's clock.

    Raises:
        RunnerError: The runtime is missing, the file is broken or there is no usable prompt.
    """
    start, moment = time.perf_counter(), rendered_at or datetime.now().isoformat()
    limit_memory()
    with _open(artifact, settings.threads) as model:
        from . import scoring
        from .attention_trial import choose_attention
        from .batching import Decoder

        template = make_prompt(prompt, shots, model, moment)
        loaded = time.perf_counter() - start
        attention = choose_attention(model, settings)
        with Decoder(model, template, settings, flash=attention.flash) as decoder:
            info = TargetInfo(
                protocol=PROTOCOL,
                runtime=model.runtime,
                runtime_version=model.runtime_version,
                system_info=model.system_info,
                python=platform.python_version(),
                machine=platform.machine(),
                board=device_info.board_model(),
                cpu=device_info.cpu_model(),
                cpu_features=device_info.cpu_features(),
                emulated=device_info.is_emulated(),
                model=model.description,
                n_params=model.n_params,
                n_ctx_train=model.n_ctx_train,
                special=model.special_ids,
                prompt=template.template,
                load_seconds=loaded,
                rendered_at=moment,
                flash_attention=attention.flash,
                standard_step_seconds=attention.standard_seconds,
                flash_step_seconds=attention.flash_seconds,
            )
            yield Loaded(decoder, functools.partial(scoring.score, model, template, settings), info, template)


def _open(artifact: str, threads: int) -> AbstractContextManager[Model]:
    """Load a file with its runtime; if the runtime does not load, raise an error that says what is missing."""
    try:
        from .runtime import open_model

        return open_model(artifact, threads)
    except ModuleNotFoundError as error:
        raise RunnerError("runtime_missing", f"{error.name} is not installed for {sys.executable}.") from None
    except (ImportError, OSError, RuntimeError) as error:
        reason = f"{device_family(artifact).packages[0]} does not load: {str(error).rstrip('.')}"
        if (package := device_info.missing_library(str(error))) is None:
            raise RunnerError("runtime_missing", f"{reason}.") from None
        # It is installed, but a shared library of the system is missing: installing it again would not help.
        raise RunnerError("device", f"{reason}. On Debian: apt install {package}") from None


def serve(lines: TextIO, out: TextIO, board: BoardDir | None = None) -> int:
    """Answer one host until its stream ends; return the exit code.

    Every failure is sent as an event, so that the host does not have to parse a traceback.

    Args:
        lines: The host's messages.
        out: Where events are written.
        board: The board's folder; None if the runner is a child process of its host.
    """

    def send(event: Event) -> None:
        out.write(encode(event) + "\n")
        out.flush()

    read_line = lines.readline if board is None else _HostMonitor(lines, send, board.host_timeout).read_line
    try:
        with lock_board(board.home, board.lock_timeout) if board else nullcontext():
            _session(read_line, send, board and board.home)
    except BrokenPipeError:
        # The host is gone. Python flushes stdout at exit, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return 1
    except ProtocolError as error:
        send(Failure("bad_request", f"The request cannot be read: {error}."))
        return 2
    except RunnerError as error:
        send(Failure(error.kind, str(error)))
        return 2
    except Exception as error:
        send(Failure("internal", f"{type(error).__name__}: {error}"))
        raise
    return 0


class _HostMonitor:
    """Reads the host's lines, and ends the process if none arrives for too long: a cut cable closes no stream.

    It reads in threads of its own, so that a lost host is noticed while a wave is being decoded, and the board is free
    again before the wave ends.
    """

    def __init__(self, lines: TextIO, send: Callable[[Event], None], timeout: float) -> None:
        self._lines = lines
        self._send = send
        self._timeout = timeout
        self._received: SimpleQueue[str] = SimpleQueue()
        self._last = time.monotonic()
        for work in (self._listen, self._watch):
            threading.Thread(target=work, daemon=True).start()

    def read_line(self) -> str:
        """Return the next line; empty at the end of the stream."""
        return self._received.get()

    def _listen(self) -> None:
        for line in iter(self._lines.readline, ""):
            self._last = time.monotonic()
            if line.strip():
                self._received.put(line)
        self._last = math.inf
        self._received.put("")

    def _watch(self) -> None:
        while (left := self._last + self._timeout - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
        with suppress(OSError):
            self._send(Failure("device", f"no message from the host for {self._timeout:.0f} s"))
        os._exit(1)


def _session(read_line: Callable[[], str], send: Callable[[Event], None], home: Path | None) -> None:
    start = time.perf_counter()
    request = _read_request(read_line)
    n_waves = n_problems = n_prompt = n_decoded = 0
    with load(request.artifact, request.prompt, request.shots, request.settings, request.rendered_at) as loaded:
        build = f"{loaded.info.runtime_version} {loaded.info.system_info} {loaded.info.cpu} {Path(sys.argv[0]).name}"
        store = WaveStore(home, request, loaded.prompt, build) if home and not request.fresh else None
        send(loaded.info)
        for command in _commands(read_line):
            if isinstance(command, Score):
                send(loaded.score(command))
                continue
            result = store.find(command) if store else None
            if result is None:
                result = loaded.decoder.run(command, _progress(command.index, send))
                try:
                    if store:
                        store.save(command, result)
                finally:  # if the disk is full, the host still gets the result
                    send(result)
            else:
                send(result)
            n_waves += 1
            n_problems += len(result.completions)
            n_prompt += result.timing.prompt_tokens
            n_decoded += result.timing.decode_tokens
    send(
        Totals(
            waves=n_waves,
            problems=n_problems,
            prompt_tokens=n_prompt,
            decode_tokens=n_decoded,
            seconds=time.perf_counter() - start,
            load_seconds=loaded.info.load_seconds,
            peak_rss_bytes=device_info.peak_rss_bytes(),
        )
    )


def _progress(index: int, send: Callable[[Event], None]) -> Callable[[int], None]:
    """Return a callback that reports the number of finished problems to the host, a few times per second at most."""
    last = time.monotonic()

    def on_progress(finished: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= _PROGRESS_SECONDS:
            last = now
            send(Progress(index, finished))

    return on_progress


def _read_request(read_line: Callable[[], str]) -> Request:
    line = read_line()
    if not line:
        raise ProtocolError("the host sent nothing")
    return decode_request(line)


def _commands(read_line: Callable[[], str]) -> Iterator[Wave | Score]:
    # Not `for line in file`, which reads ahead: the host waits for the answer to each command.
    while line := read_line():
        command = decode_command(line)
        if isinstance(command, End):
            return
        yield command
