"""Pipes to a process that is not trusted: whatever it sends, or does not send, costs bounded memory and time."""

from __future__ import annotations

import os
import re
import select
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

__all__ = ["EndlessLineError", "LineReader", "SilenceError", "StderrTail", "exit_code", "killing_after", "last_lines"]

_CHUNK = 1 << 16

_KEPT_BYTES = 40_000
"""Bytes at the end of a process's stderr that are kept for error messages; a backtrace is long."""

_CAUSE = re.compile(r"GGML_ASSERT|GGML_ABORT|terminate called|what\(\):")
"""In the line in which a native library says why it aborts."""

_BACKTRACE = re.compile(
    r"#\d+ |0x[0-9a-f]+ in |\[(?:New LWP|Inferior|Thread) |\d+\s+(?:in )?\.{0,2}/|Using host libthread_db"
    r"|(?:warning|Download|Missing|This GDB|Enable debuginfod|Debuginfod|To make this setting)\b|.*\[0x[0-9a-f]+\]$"
)
"""Lines of gdb, and of the C library's own backtrace."""

_JOIN_SECONDS = 1.0
"""How long the last words of a process that has ended may take to arrive."""

_EXIT_SECONDS = 30.0
"""How long a process may take to exit after it has closed its stdout."""


class EndlessLineError(Exception):
    """A line is longer than any honest one."""


class SilenceError(Exception):
    """No line came in time."""


class LineReader:
    """Reads lines from a pipe; nothing else may read from it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._descriptor = pipe.fileno()
        self._pending = bytearray()
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def read(self, *, most: int, seconds: float) -> bytes:
        """Return the next line with its end; what is left, perhaps nothing, if the stream ends before.

        Args:
            most: Bytes that an honest line has at most.
            seconds: Time that an honest line takes at most.

        Raises:
            EndlessLineError: The line is longer.
            SilenceError: It takes longer.
        """
        deadline = time.monotonic() + seconds
        searched = 0
        while (end := self._pending.find(b"\n", searched)) < 0:
            searched = len(self._pending)
            if searched > most:
                raise EndlessLineError
            if not self._poll.poll(max(0, int((deadline - time.monotonic()) * 1000))):
                raise SilenceError
            chunk = os.read(self._descriptor, _CHUNK)
            if not chunk:
                end = searched - 1
                break
            self._pending += chunk
        if end >= most:
            raise EndlessLineError
        line = bytes(self._pending[: end + 1])
        del self._pending[: end + 1]
        return line


class StderrTail:
    """Reads all that a process writes to its stderr, and keeps the end of it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._kept = b""
        self._thread = threading.Thread(target=self._drain, args=(pipe,), daemon=True)
        self._thread.start()

    def _drain(self, pipe: IO[bytes]) -> None:
        with pipe, suppress(OSError, ValueError):
            while chunk := os.read(pipe.fileno(), _CHUNK):
                self._kept = (self._kept + chunk)[-_KEPT_BYTES:]

    def last_lines(self, lines: int = 3) -> list[str]:
        """Return the last lines, all of which have been written if the process has ended."""
        self._thread.join(_JOIN_SECONDS)
        return last_lines(self._kept.decode(errors="replace"), lines)


def last_lines(text: str, lines: int = 3) -> list[str]:
    """Return the last lines of a stderr; of an abort, those that say why, not the backtrace."""
    written = [line for line in text.splitlines() if line.strip()]
    causes = [line for line in written if _CAUSE.search(line)]
    own = [line for line in written if not _BACKTRACE.match(line)]
    return (causes or own or written)[-lines:]


def exit_code(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code of a process that has closed its stdout; it is killed if it does not end."""
    try:
        return process.wait(_EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@contextmanager
def killing_after(process: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    """Kill a process that does not read what is written to it while the block runs."""
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
