"""Messages during long work, through the logger ``fdd_edge``.

From Python nothing is printed unless the caller configures logging, for example with
``logging.basicConfig(level="INFO")``. The command line calls ``show_on_stderr``: messages then appear on stderr, and if
that is a terminal, ``progress`` shows a bar with the rate and the time left, below the headline of ``working``.
Elsewhere a line says how far the work is whenever nothing else was printed for 20 seconds.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from fdd_edge.distributed import is_first_process
from fdd_edge.interrupt import stop_if_requested
from fdd_edge.terminal import guard, styled
from fdd_edge.visible import visible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress
    from rich.table import Table

__all__ = [
    "Advance",
    "Estimate",
    "ToGo",
    "about",
    "announce",
    "debug",
    "is_quiet",
    "is_shown_on_stderr",
    "prints_on_stderr",
    "progress",
    "show_on_stderr",
    "warn",
    "warnings_only",
    "working",
]

Advance = Callable[[int], None]
"""Takes the number of steps done so far."""


class Estimate(NamedTuple):
    """How long a piece of work takes at the rate it has.

    Attributes:
        left: Seconds until it ends.
        whole: Seconds that all of it takes, also where an earlier process began it.
    """

    left: float
    whole: float


ToGo = Callable[[Estimate | None], str]
"""Says how long everything will take, given what is known of the piece of work in progress."""

_SILENCE = 20.0
"""Most seconds without a line, where there is no bar."""

_LONG_AGO = 60.0
"""A line that is older does not count: nothing was waited for since. Until then, one short block after the other is
one silence."""

_COLUMNS, _SHORTEST = 52, 12
"""Width of the columns after a bar's title, such as ``100/1319 2.5 problems/s left 0:08:07`` and a short bar, and the
shortest that a title becomes."""

_LOOK = 0.5
"""Seconds between two looks at how long nothing was printed."""

_logger = logging.getLogger("fdd_edge")
# Without a handler, Python would print warnings to stderr by itself.
_logger.addHandler(logging.NullHandler())


@dataclass(eq=False)
class _Piece:
    """A piece of work that ``progress`` shows.

    Attributes:
        title: What is being done.
        total: The number of steps.
        unit: What the steps are; empty if their rate is not shown.
        done: Steps that are done.
        began: When it began.
        first: When the first step was done, and how many were then: before it, something is loaded.
        measure: Returns how many steps are done, for work that does not report them; called whenever it is shown.
    """

    title: str
    total: int
    unit: str
    measure: Callable[[], int] | None = None
    done: int = 0
    began: float = field(default_factory=time.monotonic)
    first: tuple[float, int] | None = None

    def advance(self, done: int) -> None:
        self.done = done
        if self.first is None and done > 0:
            self.first = (time.monotonic(), done)

    def look(self) -> None:
        """Find out how many steps are done."""
        if self.measure is not None:
            self.advance(max(self.done, min(self.measure(), self.total)))

    @property
    def per_second(self) -> float | None:
        """Steps per second; None until two have been seen."""
        if self.first is None or self.done <= self.first[1]:
            return None
        seconds = time.monotonic() - self.first[0]
        return (self.done - self.first[1]) / seconds if seconds > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds that the rest takes at this rate."""
        rate = self.per_second
        return None if rate is None else max(0, self.total - self.done) / rate

    @property
    def estimate(self) -> Estimate | None:
        """How long it takes; None as long as its rate is not known."""
        rate, left = self.per_second, self.left
        if rate is None or left is None or self.first is None:
            return None
        return Estimate(left, self.first[0] - self.began + self.total / rate)

    @property
    def rate(self) -> str:
        """The rate in words, such as ``2.5 steps/s``; empty if it is not known."""
        rate = self.per_second
        if rate is None or not self.unit:
            return ""
        return f"{rate:.1f} {self.unit}/s" if rate >= 1 else f"{1 / rate:.1f} s each"

    def __str__(self) -> str:
        parts = [f"{self.done}/{self.total}", self.rate, "" if self.left is None else f"{about(self.left)} left"]
        return f"{self.title}: {', '.join(part for part in parts if part)}"


@dataclass
class _Work:
    """What ``working`` shows.

    Attributes:
        words: What is being done.
        where: What it is part of; empty if of nothing.
        to_go: How long all of that takes.
        began: When it began.
        depth: How many pieces of work were in progress then. The next one is all of this work; those inside it, such
            as a validation during a training, are not.
    """

    words: str = ""
    where: str = ""
    to_go: ToGo = lambda estimate: ""
    began: float = 0.0
    depth: int = 0


@dataclass
class _Shown:
    """What is shown at the moment, by whichever part of the program.

    Attributes:
        last_line: When the last line was printed.
        work: What is being done.
        pieces: The pieces of work whose progress is known; the last one is in progress.
        bar: Where their bars are drawn; None where lines are printed.
    """

    last_line: float = 0.0
    work: _Work = field(default_factory=_Work)
    pieces: list[_Piece] = field(default_factory=list)
    bar: Progress | None = None

    def headline(self) -> str:
        """Return the line above the bars: where we are, what is being done, how long all takes."""
        seconds = f"{time.monotonic() - self.work.began:.0f} s"
        return _joined(self.work.where, self.work.words, self._to_go(), "" if self.pieces else seconds)

    def line(self) -> str:
        """Return the line that says how far the work is, where there are no bars."""
        for piece in self.pieces:
            piece.look()
        so_far = f"{self.work.words}: {about(time.monotonic() - self.work.began)} so far"
        return _joined(str(self.pieces[-1]) if self.pieces else so_far, self._to_go())

    def _to_go(self) -> str:
        piece = next(iter(self.pieces[self.work.depth :]), None)
        return self.work.to_go(None if piece is None else piece.estimate)


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


_shown = _Shown()
_pulse = threading.Lock()
"""Held by the block whose thread prints the lines."""


class _StderrHandler(logging.Handler):
    """Prints the bare message to the current ``sys.stderr``, which a progress bar replaces while it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        _shown.last_line = time.monotonic()
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


def is_quiet() -> bool:
    """Return whether only warnings are shown: then nothing is printed that is not a result."""
    return not _logger.isEnabledFor(logging.INFO)


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
def prints_on_stderr() -> Iterator[None]:
    """Let what a library prints while the block runs go to stderr: only results are on stdout."""
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def warnings_only() -> Iterator[None]:
    """Keep announcements back while the block runs, unless they were asked for with ``--verbose``."""
    before = _logger.level
    if before == logging.INFO:
        _logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        _logger.setLevel(before)


@contextmanager
def progress(title: str, total: int, unit: str = "", *, measure: Callable[[], int] | None = None) -> Iterator[Advance]:
    """Show the progress of one piece of work while the block runs.

    An interrupt that a library has swallowed takes effect at the next step.

    Args:
        title: What is being done.
        total: The number of steps.
        unit: What the steps are, such as ``problems``, to show how many a second are done; empty if that says nothing.
        measure: Returns how many steps are done, for work that does not report them; called whenever the progress is
            shown, from another thread.
    """
    piece = _Piece(_one_line(title), total, unit, measure)
    _shown.pieces.append(piece)
    try:
        with _bar(piece) if _draws() else _lines(piece) as redraw:

            def step(done: int) -> None:
                stop_if_requested()
                piece.advance(done)
                redraw()

            yield step
    finally:
        _shown.pieces.remove(piece)


@contextmanager
def working(words: str, where: str = "", to_go: ToGo | None = None) -> Iterator[None]:
    """Show that work goes on while the block runs, whether or not its progress is known.

    On a terminal a headline stands above the bars; elsewhere a line is printed whenever nothing was for 20 seconds.
    What other threads do is not shown: the main one waits for it.

    Args:
        words: What is being done.
        where: What it is part of. Default: what the block around this one is part of.
        to_go: How long all of that takes. Default: as the block around this one says it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _shown.work
    if to_go is None:
        _shown.work = replace(before, words=_one_line(words), where=where or before.where, began=time.monotonic())
    else:
        _shown.work = _Work(_one_line(words), where, to_go, time.monotonic(), len(_shown.pieces))
    try:
        with _live() if _draws() and _shown.bar is None else _heard():
            yield
    finally:
        _shown.work = before


def _one_line(text: str) -> str:
    """Return a text of strangers as a line, whatever a data set is called."""
    return visible(text).replace("\n", "\\n")


def about(seconds: float) -> str:
    """Return a duration as one says it: ``40 s``, ``6 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds < 20 else f"{5 * round(seconds / 5)} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _draws() -> bool:
    """Return whether bars are drawn: on a terminal of the command line, by the first process."""
    return is_shown_on_stderr() and not is_quiet() and sys.stderr.isatty() and is_first_process()


def is_shown_on_stderr() -> bool:
    """Return whether this is the command line, which prints messages; from Python they are only logged."""
    return any(isinstance(handler, _StderrHandler) for handler in _logger.handlers)


@contextmanager
def _bar(piece: _Piece) -> Iterator[Callable[[], None]]:
    """Draw a bar; below a headline, what remains of it afterwards is a line."""
    if _shown.bar is None:
        with _drawing() as bar:
            task = bar.add_task(_shortened(piece.title, bar.console.width), total=piece.total, rate="", piece=piece)
            yield lambda: bar.update(task, completed=piece.done, rate=piece.rate)
        return
    bar = _shown.bar
    task = bar.add_task(_shortened(piece.title, bar.console.width), total=piece.total, rate="", piece=piece)
    try:
        yield lambda: bar.update(task, completed=piece.done, rate=piece.rate)
        bar.refresh()
        announce(_done(piece))
    finally:
        bar.remove_task(task)


def _shortened(title: str, width: int) -> str:
    """Return a title that leaves the columns beside it their place on a terminal of that width."""
    room = max(width - _COLUMNS, _SHORTEST)
    return title if len(title) <= room else f"{title[: room - 1]}…"


@contextmanager
def _live() -> Iterator[None]:
    """Draw the headline, above the bars of the block."""
    from rich.console import Group
    from rich.spinner import Spinner
    from rich.text import Text

    spinner = Spinner("dots")

    def top() -> Spinner:
        spinner.update(text=Text(_shown.headline(), style="bold"))
        return spinner

    with _drawing(lambda tasks: Group(top(), *([tasks] if _shown.pieces else [])), transient=True) as bar:
        _shown.bar = bar
        try:
            yield
        finally:
            _shown.bar = None


@contextmanager
def _drawing(
    around: Callable[[Table], RenderableType] = lambda tasks: tasks, *, transient: bool = False
) -> Iterator[Progress]:
    """Draw bars on the terminal while the block runs.

    Args:
        around: What is drawn, given the bars.
        transient: Whether nothing of it remains.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    class Drawn(Progress):
        def get_renderable(self) -> RenderableType:
            for task in self.tasks:
                piece = task.fields["piece"]
                if piece.measure is not None:
                    piece.look()
                    self.update(task.id, completed=piece.done, rate=piece.rate)
            return around(self.make_tasks_table(self.tasks))

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    # What goes into a file must not be drawn on the terminal, above the bar.
    results = sys.stdout is not None and sys.stdout.isatty()
    console = Console(file=styled(sys.stderr))
    with Drawn(*columns, console=console, redirect_stdout=results, transient=transient, expand=True) as bar:
        # Until it ends, the bar has a stream of its own in the place of stderr.
        sys.stderr = guard(sys.stderr, needed=False)
        yield bar


@contextmanager
def _lines(piece: _Piece) -> Iterator[Callable[[], None]]:
    """Print a line at the beginning, at the end, and in between whenever nothing was printed for a while."""
    announce(f"{piece.title} ...")
    with _heard():
        yield lambda: None
    announce(_done(piece))


def _done(piece: _Piece) -> str:
    return f"{piece.title}: done in {time.monotonic() - piece.began:.1f} s"


@contextmanager
def _heard() -> Iterator[None]:
    """Print a line whenever nothing was printed for a while; inside another such block, that one does."""
    if is_quiet() or not is_first_process() or not _pulse.acquire(blocking=False):
        yield
        return
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(_LOOK):
            if time.monotonic() - _shown.last_line >= _SILENCE:
                _shown.last_line = time.monotonic()
                announce(_shown.line())

    now = time.monotonic()
    if now - _shown.last_line > _LONG_AGO:
        _shown.last_line = now
    thread = threading.Thread(target=beat, name="progress", daemon=True)
    try:
        thread.start()
        yield
    finally:
        ended.set()
        thread.join()
        _pulse.release()
