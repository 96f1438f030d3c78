"""llama.cpp's log, kept off the terminal, for messages and for what is said nowhere else."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Log", "captured_log"]

_ERROR = 4
_silent: Any = None
"""The callback that stays in place afterwards: C calls it for as long as the process runs."""


class Log:
    """What llama.cpp said: all of it, and the last line that was an error."""

    def __init__(self) -> None:
        self.last_error = ""
        self._said: list[bytes] = []

    def add(self, level: int, text: bytes) -> None:
        """Keep a piece of the log; a line may come in several."""
        self._said.append(text)
        if level >= _ERROR and text.strip():
            self.last_error = text.decode(errors="replace").strip()

    @property
    def text(self) -> str:
        """The whole log."""
        return b"".join(self._said).decode(errors="replace")


@contextmanager
def captured_log(llama_cpp: Any) -> Iterator[Log]:
    """Keep llama.cpp's log while the block runs; afterwards it stays silent."""
    global _silent
    log = Log()

    def keep(level: int, text: bytes, _: Any) -> None:
        log.add(level, text)

    def drop(level: int, text: bytes, _: Any) -> None:
        pass

    callback = llama_cpp.llama_log_callback(keep)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    try:
        yield log
    finally:
        _silent = llama_cpp.llama_log_callback(drop)
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))
