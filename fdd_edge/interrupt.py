"""Ctrl-C, remembered: a library that catches whatever is raised inside it must not keep a run from stopping."""

from __future__ import annotations

import signal

__all__ = ["listen", "stop_if_asked"]

_asked = False


def listen() -> None:
    """Take SIGINT and SIGTERM as the wish to stop: a KeyboardInterrupt now, and again where the next stage begins."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def stop_if_asked() -> None:
    """Raise the KeyboardInterrupt again that something has swallowed."""
    if _asked:
        raise KeyboardInterrupt


def _stop(number: int, frame: object) -> None:
    global _asked
    _asked = True
    raise KeyboardInterrupt
