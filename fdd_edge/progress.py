"""Progress of long work, on stderr: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fdd_edge.distributed import is_first_process

__all__ = ["Advance", "announce", "progress"]

Advance = Callable[[int], None]
"""Takes the number of steps done so far."""

_SECONDS_BETWEEN_LINES = 15.0


def announce(text: str) -> None:
    """Write one line to stderr; of several processes that train together the first speaks for all."""
    if not is_first_process():
        return
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@contextmanager
def progress(title: str, total: int) -> Iterator[Advance]:
    """Show the progress of one piece of work while the block runs."""
    if sys.stderr.isatty() and is_first_process():
        with _bar(title, total) as advance:
            yield advance
    else:
        with _lines(title, total) as advance:
            yield advance


@contextmanager
def _bar(title: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def _lines(title: str, total: int) -> Iterator[Advance]:
    started = last = time.monotonic()
    announce(f"{title} ...")

    def advance(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if 0 < done < total and now - last >= _SECONDS_BETWEEN_LINES:
            last = now
            announce(f"{title}: {done}/{total}, {(now - started) / done * (total - done):.0f} s left")

    yield advance
    announce(f"{title}: done in {time.monotonic() - started:.1f} s")
