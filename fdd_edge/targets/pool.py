"""Several runners that share the work of one data set: equal boards, or one process a core."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import NamedTuple

from fdd_edge.errors import TargetError
from fdd_edge.ondevice.protocol import Score, Scores, TargetInfo, Totals, Wave, WaveResult
from fdd_edge.progress import announce
from fdd_edge.targets.runner_session import kill_held
from fdd_edge.targets.session import EQUAL, Session

__all__ = ["PoolSession", "pool_session"]

Opener = Callable[[], AbstractContextManager[Session]]


@contextmanager
def pool_session(openers: Sequence[Opener]) -> Iterator[PoolSession]:
    """Open all sessions at once, and close them together.

    A board that cannot be reached is left out with a line that says so.

    Raises:
        TargetError: No board can be reached, or two are not equal.
        FddError: The file is broken, or it cannot be asked this way.
    """
    pool = PoolSession(openers)
    try:
        pool.open()
        yield pool
        pool.close()
    finally:
        pool.abort()


class _Job(NamedTuple):
    """A wave or a text, and its place among all."""

    place: int
    what: Wave | Score


@dataclass(frozen=True)
class _Opened:
    """A worker's session is open."""

    worker: _Worker


@dataclass(frozen=True)
class _Grew:
    """A worker has finished so many problems of its wave."""

    worker: _Worker
    finished: int


@dataclass(frozen=True)
class _Finished:
    """A worker has finished a wave or a text."""

    worker: _Worker
    job: _Job
    result: WaveResult | Scores


@dataclass(frozen=True)
class _Ended:
    """A worker's session is closed, or it failed in the middle of a job."""

    worker: _Worker
    error: BaseException | None
    job: _Job | None


_Event = _Opened | _Grew | _Finished | _Ended


class _Worker(threading.Thread):
    """Holds one session, and does the jobs it is handed."""

    def __init__(self, opener: Opener, events: SimpleQueue[_Event]) -> None:
        super().__init__(daemon=True)
        self._opener = opener
        self._events = events
        self.jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self.session: Session | None = None

    def run(self) -> None:
        """Open the session, take jobs until there is None, close it."""
        job = None
        try:
            with self._opener() as self.session:
                self._events.put(_Opened(self))
                while (job := self.jobs.get()) is not None:
                    self._events.put(_Finished(self, job, self._do(self.session, job.what)))
        except BaseException as error:  # whatever it is, the thread that holds the pool must hear of it
            self._events.put(_Ended(self, error, job))
        else:
            self._events.put(_Ended(self, None, None))

    def _do(self, session: Session, what: Wave | Score) -> WaveResult | Scores:
        if isinstance(what, Wave):
            (result,) = session.complete([what], lambda n: self._events.put(_Grew(self, n)))
            return result
        (scores,) = session.score([what])
        return scores


class PoolSession:
    """A session whose waves are shared by several; made by ``pool_session``."""

    def __init__(self, openers: Sequence[Opener]) -> None:
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._starting = [_Worker(opener, self._events) for opener in openers]
        self._alive: list[_Worker] = []
        self._closed: list[Session] = []

    @property
    def info(self) -> TargetInfo:
        """What the targets are; loading took as long as the slowest."""
        infos = [session.info for session in self._sessions]
        return replace(infos[0], load_seconds=max(info.load_seconds for info in infos))

    @property
    def runners(self) -> int:
        """How many are alive."""
        return len(self._sessions)

    @property
    def totals(self) -> Totals:
        """What the sessions cost together; memory and time are those of the one that took most."""
        totals = [totals for session in self._sessions if (totals := _totals_of(session)) is not None]
        if not totals:
            raise RuntimeError("the session is still open, or it failed")
        summed = {name: sum(getattr(t, name) for t in totals) for name in _SUMMED}
        return Totals(**summed, **{name: max(getattr(t, name) for t in totals) for name in _HIGHEST})

    def open(self) -> None:
        """Start every worker, and wait until each has loaded the file or failed."""
        lost: dict[str, None] = {}
        for worker in self._starting:
            worker.start()
        for _ in self._starting:
            event = self._events.get()
            if isinstance(event, _Opened):
                self._alive.append(event.worker)
            elif isinstance(event, _Ended):
                lost[str(_loss(event))] = None
        if not self._alive:
            # Runners of one target fail for one reason, boards each for its own.
            raise TargetError(" ".join(lost) or "A pool needs a board.")
        for message in lost:
            announce(f"{message} The others go on without it.")
        self._check_equal()

    def complete(self, waves: Iterable[Wave], on_progress: Callable[[int], None] | None = None) -> Iterator[WaveResult]:
        """Hand each wave to the next free worker, and yield the results as they are finished."""
        for _, result in self._share(waves, on_progress):
            assert isinstance(result, WaveResult)
            yield result

    def score(self, texts: Iterable[Score], on_progress: Callable[[int], None] | None = None) -> Iterator[Scores]:
        """Hand each text to the next free worker, and yield the results in the texts' order."""
        early: dict[int, Scores] = {}
        due = 0
        for place, result in self._share(texts, on_progress):
            assert isinstance(result, Scores)
            early[place] = result
            while due in early:
                yield early.pop(due)
                due += 1

    def _share(
        self, work: Iterable[Wave | Score], on_progress: Callable[[int], None] | None
    ) -> Iterator[tuple[int, WaveResult | Scores]]:
        """Have jobs done by whoever is free; that of a worker who dies is handed to another."""
        waiting = deque(_Job(place, what) for place, what in enumerate(work))
        growing: dict[_Worker, int] = {}
        busy: set[_Worker] = set()
        n_finished = 0
        while waiting or busy:
            for worker in [w for w in self._alive if w not in busy][: len(waiting)]:
                worker.jobs.put(waiting.popleft())
                busy.add(worker)
            event = self._events.get()
            if isinstance(event, _Grew):
                growing[event.worker] = event.finished
            elif isinstance(event, _Finished):
                busy.discard(event.worker)
                growing.pop(event.worker, None)
                n_finished += len(event.result.completions) if isinstance(event.result, WaveResult) else 1
            elif isinstance(event, _Ended):
                busy.discard(event.worker)
                growing.pop(event.worker, None)
                self._alive.remove(event.worker)
                error = _loss(event)
                if not self._alive:
                    raise error
                announce(f"{error} The others go on without it.")
                if event.job is not None:
                    waiting.appendleft(event.job)
            if on_progress:
                on_progress(n_finished + sum(growing.values()))
            if isinstance(event, _Finished):
                yield event.job.place, event.result

    def close(self) -> None:
        """Tell every worker that there is no more work, and wait until its session is closed."""
        self._closed = self._sessions
        for worker in self._alive:
            worker.jobs.put(None)
        while self._alive:
            event = self._events.get()
            if isinstance(event, _Ended):
                self._alive.remove(event.worker)
                if event.error is not None and not isinstance(event.error, TargetError):
                    raise event.error
                if event.error is not None:
                    announce(str(event.error))  # all results are there: a board that dies now takes nothing with it

    def abort(self) -> None:
        """End what is still open, at once, also what has not been opened yet."""
        for worker in self._starting:
            worker.jobs.put(None)
            if worker.is_alive():
                kill_held(worker.ident)
        for worker in self._starting:
            if worker.ident is not None:
                worker.join(_LAST_SECONDS)

    @property
    def _sessions(self) -> list[Session]:
        return self._closed or [worker.session for worker in self._alive if worker.session is not None]

    def _check_equal(self) -> None:
        infos = [session.info for session in self._sessions]
        for name in EQUAL:
            values = sorted({str(getattr(info, name)) for info in infos})
            if len(values) > 1:
                raise TargetError(f"The boards of a pool must be equal, and their {name} is not: {', '.join(values)}.")


def _loss(event: _Ended) -> TargetError:
    """Return why a board is lost; any other fault is everybody's, and raised."""
    error = event.error or TargetError("A board ended its session by itself.")
    if not isinstance(error, TargetError):
        raise error
    return error


def _totals_of(session: Session) -> Totals | None:
    try:
        return session.totals
    except RuntimeError:
        return None


_LAST_SECONDS = 5.0
"""For a thread whose process was killed to end."""

_SUMMED = ("waves", "problems", "prompt_tokens", "decode_tokens")
_HIGHEST = ("seconds", "load_seconds", "peak_rss_bytes")
