"""llama.cpp's log, kept off the terminal: for error messages, and for facts that it reports nowhere else."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

__all__ = ["Log", "captured_log"]

_ERROR = 4
_silent: Any = None
"""The callback that stays installed afterwards: C may call it for as long as the process runs."""


class Log:
    """The log of one call of llama.cpp: its whole text, and the last line that was an error."""

    def __init__(self) -> None:
        self.last_error = ""
        self._pieces: list[bytes] = []

    def add(self, level: int, text: bytes) -> None:
        """Keep a piece of the log; a line may consist of several pieces."""
        self._pieces.append(text)
        if level >= _ERROR and text.strip():
            self.last_error = text.decode(errors="replace").strip()

    @property
    def text(self) -> str:
        """The whole log."""
        return b"".join(self._pieces).decode(errors="replace")


@contextmanager
def captured_log(llama_cpp: ModuleType) -> Iterator[Log]:
    """Capture llama.cpp's log while the block runs; afterwards it stays silent."""
    global _silent
    log = Log()

    def keep(level: int, text: bytes, _: object) -> None:
        log.add(level, text)

    def drop(level: int, text: bytes, _: object) -> None:
        pass

    callback = llama_cpp.llama_log_callback(keep)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    try:
        yield log
    finally:
        _silent = llama_cpp.llama_log_callback(drop)
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))
