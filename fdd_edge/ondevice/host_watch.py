"""Ends the runner when nobody can read its answers any more: whoever reads them was killed, or the connection died."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from typing import TextIO

__all__ = ["end_with_host"]


def end_with_host(out: TextIO, end: Callable[[int], object] = os._exit) -> None:
    """End this process as soon as the other end of a stream is closed, also while a runtime computes.

    A runtime may be at work for hours, on a hostile file without end, before the next message would fail; the runtimes
    let other threads run meanwhile. A stream to a file or a terminal is never closed at its other end.

    Args:
        out: The stream to the host.
        end: Called with the exit code.
    """
    poll = select.poll()
    poll.register(out.fileno(), 0)  # errors and hang-ups are always reported

    def watch() -> None:
        poll.poll()
        end(1)

    threading.Thread(target=watch, daemon=True).start()
