"""Remembers Ctrl-C, so that a library that catches every exception cannot keep a run from stopping."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["deferred", "exit_code", "listen", "stop_if_requested"]

_requested = False
_hung_up = False
_deferring = False
_pending = False


def listen() -> None:
    """Turn SIGINT, SIGTERM and SIGHUP into a KeyboardInterrupt now, and another one when the next stage starts.

    If SIGHUP is ignored, as under ``nohup``, it stays so.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


def stop_if_requested() -> None:
    """Raise KeyboardInterrupt if the user has interrupted the command; a library may have swallowed the first one.

    Only the main thread is interrupted.
    """
    if _requested and threading.current_thread() is threading.main_thread():
        raise KeyboardInterrupt


@contextmanager
def deferred() -> Iterator[None]:
    """Let an interrupt wait until the end of the block: between starting a process and owning it, it would be lost.

    Only the main thread is interrupted, so elsewhere this does nothing. It takes effect after ``listen``.
    """
    global _deferring, _pending
    if threading.current_thread() is not threading.main_thread() or _deferring:
        yield
        return
    _deferring, _pending = True, False
    try:
        yield
    finally:
        _deferring = False
    if _pending:
        raise KeyboardInterrupt


def exit_code() -> int:
    """Return the exit code of an interrupted command: 129 if its terminal was closed, as shells have it, else 130."""
    return 129 if _hung_up else 130


def _stop(number: int, frame: object) -> None:
    global _hung_up, _pending, _requested
    _requested = True
    if number == signal.SIGHUP:
        _hung_up = True
        # A terminal that closes sends it twice, from the shell and from the system: the second one would interrupt
        # the tidying up.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if _deferring:
        _pending = True
        return
    raise KeyboardInterrupt
