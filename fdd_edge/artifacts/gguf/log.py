"""llama.cpp's log, kept off the terminal; its last error is kept for the message."""

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
    """What llama.cpp said."""

    last_error = ""


@contextmanager
def captured_log(llama_cpp: Any) -> Iterator[Log]:
    """Keep llama.cpp's log while the block runs; afterwards it stays silent."""
    global _silent
    log = Log()

    def keep(level: int, text: bytes, _: Any) -> None:
        if level >= _ERROR and text.strip():
            log.last_error = text.decode(errors="replace").strip()

    def drop(level: int, text: bytes, _: Any) -> None:
        pass

    callback = llama_cpp.llama_log_callback(keep)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    try:
        yield log
    finally:
        _silent = llama_cpp.llama_log_callback(drop)
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))
