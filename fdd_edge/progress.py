"""Messages during long work, through the logger ``fdd_edge``.

From Python nothing is printed unless the caller configures logging, for example with
``logging.basicConfig(level="INFO")``. The command line calls ``show_on_stderr``: messages then appear on stderr, and if
that is a terminal, ``progress`` shows a bar with the time left.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fdd_edge.distributed import is_first_process
from fdd_edge.interrupt import stop_if_requested
from fdd_edge.terminal import guard, styled
from fdd_edge.visible import visible

__all__ = ["Advance", "announce", "debug", "is_shown_on_stderr", "progress", "show_on_stderr", "warn"]

Advance = Callable[[int], None]
"""Takes the number of steps done so far."""

_SECONDS_BETWEEN_LINES = 15.0

_logger = logging.getLogger("fdd_edge")
# Without a handler, Python would print warnings to stderr by itself.
_logger.addHandler(logging.NullHandler())


class _StderrHandler(logging.Handler):
    """Prints the bare message to the current ``sys.stderr``, which a progress bar replaces while it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def show_on_stderr(level: int = logging.INFO) -> None:
    """Print messages of at least this level to stderr; a second call only changes the level."""
    if not is_shown_on_stderr():
        _logger.addHandler(_StderrHandler())
    _logger.setLevel(level)
    # Libraries may configure the root logger, which would print every message a second time.
    _logger.propagate = False


def announce(text: str) -> None:
    """Log one line at level INFO; with several processes (``accelerate launch``) only the first one does."""
    if is_first_process():
        _logger.info("%s", visible(text))


def debug(text: str) -> None:
    """Log one line at level DEBUG, which the command line shows with ``--verbose``."""
    if is_first_process():
        _logger.debug("%s", visible(text))


def warn(text: str) -> None:
    """Log one line at level WARNING, which is shown even if the command line was asked to be quiet."""
    if is_first_process():
        _logger.warning("%s", visible(text))


@contextmanager
def progress(title: str, total: int) -> Iterator[Advance]:
    """Show the progress of one piece of work while the block runs.

    An interrupt that a library has swallowed takes effect at the next step.

    Args:
        title: What is being done.
        total: The number of steps.
    """
    title = visible(title).replace("\n", "\\n")  # a line, whatever the data set is called
    on_terminal = is_shown_on_stderr() and _logger.isEnabledFor(logging.INFO) and sys.stderr.isatty()
    with (_bar if on_terminal and is_first_process() else _lines)(title, total) as advance:

        def step(done: int) -> None:
            stop_if_requested()
            advance(done)

        yield step


def is_shown_on_stderr() -> bool:
    """Return whether this is the command line, which prints messages; from Python they are only logged."""
    return any(isinstance(handler, _StderrHandler) for handler in _logger.handlers)


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
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    # What goes into a file must not be drawn on the terminal, above the bar.
    results = sys.stdout is not None and sys.stdout.isatty()
    with Progress(*columns, console=Console(file=styled(sys.stderr)), redirect_stdout=results) as bar:
        # Until it ends, the bar has a stream of its own in the place of stderr.
        sys.stderr = guard(sys.stderr, needed=False)
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
