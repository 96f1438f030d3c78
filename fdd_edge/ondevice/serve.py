"""A session with a host: load the file once, then answer command after command."""

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
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple, TextIO

from . import device_info
from .board_store import BoardDir, KeptWaves, lock_board
from .model_files import is_onnx
from .prompt import make_prompt
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
"""Between two progress events, at least. They also tell a runner on a board that its host has gone."""


class Loaded(NamedTuple):
    """What a loaded file can do, and what there is to say about it and this device."""

    decoder: Decoder
    score: Callable[[Score], Scores]
    info: TargetInfo


def take_stdout() -> TextIO:
    """Return a stream of our own to the process's stdout, and send whatever else is printed there to stderr.

    llama.cpp is C and prints where it likes; the lines of the protocol must stay alone.
    """
    sys.stdout.flush()
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n", buffering=1)
    os.dup2(2, 1)
    return ours


@contextmanager
def load(artifact: str, prompt: str | None, shots: Sequence[Shot], settings: Settings) -> Iterator[Loaded]:
    """Load a model file and hold it open.

    Raises:
        RunnerError: The runtime is missing, the file is broken or the prompt cannot be made.
    """
    began = time.perf_counter()
    with _open(artifact, settings.threads) as model:
        from . import scoring
        from .batching import Decoder

        template = make_prompt(prompt, shots, model)
        with Decoder(model, template, settings) as decoder:
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
                load_seconds=time.perf_counter() - began,
            )
            yield Loaded(decoder, functools.partial(scoring.score, model, template, settings), info)


def _open(artifact: str, threads: int) -> AbstractContextManager[Model]:
    """Load a file, and say what is missing where its runtime does not load."""
    try:
        from .runtime import open_model

        return open_model(artifact, threads)
    except ModuleNotFoundError as error:
        raise RunnerError("runtime_missing", f"{error.name} is not installed for {sys.executable}.") from None
    except (ImportError, OSError, RuntimeError) as error:
        name = "onnxruntime" if is_onnx(artifact) else "llama-cpp-python"
        reason = f"{name} does not load here: {str(error).rstrip('.')}"
        if (package := device_info.missing_library(str(error))) is None:
            raise RunnerError("runtime_missing", f"{reason}.") from None
        # It is there, but a library of the system is not: to install it again would mend nothing.
        raise RunnerError("device", f"{reason} (on Debian: apt install {package})") from None


def serve(lines: TextIO, out: TextIO, place: BoardDir | None = None) -> int:
    """Answer one host until its stream ends; return the exit code.

    Every failure is told as an event, so that the host need not guess from a traceback.

    Args:
        lines: What the host says.
        out: What it hears.
        place: The board; None for a runner that is its host's child.
    """

    def tell(event: Event) -> None:
        out.write(encode(event) + "\n")
        out.flush()

    hear = lines.readline if place is None else _Listener(lines, tell, place.silence).hear
    try:
        with lock_board(place.home, place.patience) if place else nullcontext():
            _session(hear, tell, place and place.home)
    except BrokenPipeError:
        # The host has gone, and there is nobody left to tell; stdout must not be flushed again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return 1
    except ProtocolError as error:
        tell(Failure("bad_request", f"The request cannot be read: {error}."))
        return 2
    except RunnerError as error:
        tell(Failure(error.kind, str(error)))
        return 2
    except Exception as error:
        tell(Failure("internal", f"{type(error).__name__}: {error}"))
        raise
    return 0


class _Listener:
    """Hears a host out, and ends the process when nothing comes any more: a cut cable tells neither end that it is cut.

    It listens while a wave is decoded, too: else a board would be held until the wave's end, and for nobody.
    """

    def __init__(self, lines: TextIO, tell: Callable[[Event], None], silence: float) -> None:
        self._lines = lines
        self._tell = tell
        self._silence = silence
        self._heard: SimpleQueue[str] = SimpleQueue()
        self._last = time.monotonic()
        for work in (self._listen, self._watch):
            threading.Thread(target=work, daemon=True).start()

    def hear(self) -> str:
        """Return the next line; empty at the end of the stream."""
        return self._heard.get()

    def _listen(self) -> None:
        for line in iter(self._lines.readline, ""):
            self._last = time.monotonic()
            if line.strip():
                self._heard.put(line)
        self._last = math.inf
        self._heard.put("")

    def _watch(self) -> None:
        while (left := self._last + self._silence - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
        with suppress(OSError):
            self._tell(Failure("device", f"the host was silent for {self._silence:.0f} s"))
        os._exit(1)


def _session(hear: Callable[[], str], tell: Callable[[Event], None], home: Path | None) -> None:
    began = time.perf_counter()
    request = _read_request(hear)
    n_waves = n_problems = n_prompt = n_decoded = 0
    with load(request.artifact, request.prompt, request.shots, request.settings) as loaded:
        build = f"{loaded.info.runtime_version} {loaded.info.system_info} {loaded.info.cpu} {Path(sys.argv[0]).name}"
        kept = KeptWaves(home, request, build) if home and not request.afresh else None
        tell(loaded.info)
        for asked in _commands(hear):
            if isinstance(asked, Score):
                tell(loaded.score(asked))
                continue
            result = kept.find(asked) if kept else None
            if result is None:
                result = loaded.decoder.run(asked, _progress(asked.index, tell))
                try:
                    if kept:
                        kept.keep(asked, result)
                finally:  # on a full disk the host still gets what it can keep itself
                    tell(result)
            else:
                tell(result)
            n_waves += 1
            n_problems += len(result.completions)
            n_prompt += result.timing.prompt_tokens
            n_decoded += result.timing.decode_tokens
    tell(
        Totals(
            waves=n_waves,
            problems=n_problems,
            prompt_tokens=n_prompt,
            decode_tokens=n_decoded,
            seconds=time.perf_counter() - began,
            load_seconds=loaded.info.load_seconds,
            peak_rss_bytes=device_info.peak_rss_bytes(),
        )
    )


def _progress(index: int, tell: Callable[[Event], None]) -> Callable[[int], None]:
    """Return what tells the host of finished problems, but only a few times a second."""
    last = time.monotonic()

    def on_progress(finished: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= _PROGRESS_SECONDS:
            last = now
            tell(Progress(index, finished))

    return on_progress


def _read_request(hear: Callable[[], str]) -> Request:
    line = hear()
    if not line:
        raise ProtocolError("the host sent nothing")
    return decode_request(line)


def _commands(hear: Callable[[], str]) -> Iterator[Wave | Score]:
    # Line by line, not by iteration: a file iterator reads ahead, and the host waits for each command's answer.
    while line := hear():
        command = decode_command(line)
        if isinstance(command, End):
            return
        yield command
