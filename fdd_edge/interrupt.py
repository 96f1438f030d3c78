"""Remembers Ctrl-C, so that a library that catches every exception cannot keep a run from stopping."""

from __future__ import annotations

import signal

__all__ = ["listen", "stop_if_requested"]

_requested = False


def listen() -> None:
    """Turn SIGINT and SIGTERM into a KeyboardInterrupt now, and another one when the next stage starts."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def stop_if_requested() -> None:
    """Raise KeyboardInterrupt if the user has interrupted the run; a library may have swallowed the first one."""
    if _requested:
        raise KeyboardInterrupt


def _stop(number: int, frame: object) -> None:
    global _requested
    _requested = True
    raise KeyboardInterrupt
