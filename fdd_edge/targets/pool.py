"""Share the waves of a data set between several runners: identical boards, or one process per core."""

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
from fdd_edge.progress import warn
from fdd_edge.targets.runner_session import kill_owned
from fdd_edge.targets.session import IDENTICAL_FIELDS, Session

__all__ = ["PoolSession", "pool_session"]

Opener = Callable[[], AbstractContextManager[Session]]


@contextmanager
def pool_session(openers: Sequence[Opener]) -> Iterator[PoolSession]:
    """Open all sessions at the same time, and close them together.

    A board that cannot be reached is left out, with a message.

    Raises:
        TargetError: No board can be reached, or the boards are not identical.
        FddError: The model file is broken, or the prompt does not fit it.
    """
    pool = PoolSession(openers)
    try:
        pool.open()
        yield pool
        pool.close()
    finally:
        pool.abort()


class _Job(NamedTuple):
    """A wave or a text, and its number among all."""

    number: int
    work: Wave | Score


@dataclass(frozen=True)
class _Opened:
    """A worker's session is open."""

    worker: _Worker


@dataclass(frozen=True)
class _Advanced:
    """A worker has finished this many problems of its current wave."""

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
    """A worker's session is closed, or failed (during ``job``, if there is one)."""

    worker: _Worker
    error: BaseException | None
    job: _Job | None


_Event = _Opened | _Advanced | _Finished | _Ended


class _Worker(threading.Thread):
    """Holds one session, and does the jobs in its queue."""

    def __init__(self, opener: Opener, events: SimpleQueue[_Event]) -> None:
        super().__init__(daemon=True)
        self._opener = opener
        self._events = events
        self.jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self.session: Session | None = None

    def run(self) -> None:
        """Open the session, do jobs until the queue gives None, and close the session."""
        job = None
        try:
            with self._opener() as self.session:
                self._events.put(_Opened(self))
                while (job := self.jobs.get()) is not None:
                    self._events.put(_Finished(self, job, self._do(self.session, job.work)))
        except BaseException as error:  # any error must reach the thread that holds the pool
            self._events.put(_Ended(self, error, job))
        else:
            self._events.put(_Ended(self, None, None))

    def _do(self, session: Session, work: Wave | Score) -> WaveResult | Scores:
        if isinstance(work, Wave):
            (result,) = session.complete([work], lambda n: self._events.put(_Advanced(self, n)))
            return result
        (scores,) = session.score([work])
        return scores


class PoolSession:
    """A session that shares its waves between several others; created by ``pool_session``."""

    def __init__(self, openers: Sequence[Opener]) -> None:
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._starting = [_Worker(opener, self._events) for opener in openers]
        self._alive: list[_Worker] = []
        self._closed: list[Session] = []

    @property
    def info(self) -> TargetInfo:
        """Describes the targets; the load time is that of the slowest."""
        infos = [session.info for session in self._sessions]
        return replace(infos[0], load_seconds=max(info.load_seconds for info in infos))

    @property
    def runners(self) -> int:
        """Number of runners that are alive."""
        return len(self._sessions)

    @property
    def totals(self) -> Totals:
        """What the sessions cost together; memory and time are those of the session that used most."""
        totals = [totals for session in self._sessions if (totals := _totals_of(session)) is not None]
        if not totals:
            raise RuntimeError("the session is still open, or it failed")
        summed = {name: sum(getattr(t, name) for t in totals) for name in _SUMMED}
        return Totals(**summed, **{name: max(getattr(t, name) for t in totals) for name in _HIGHEST})

    def open(self) -> None:
        """Start every worker, and wait until each has loaded the model or failed."""
        failures: dict[str, None] = {}
        for worker in self._starting:
            worker.start()
        for _ in self._starting:
            event = self._events.get()
            if isinstance(event, _Opened):
                self._alive.append(event.worker)
            elif isinstance(event, _Ended):
                failures[str(_target_error(event))] = None
        if not self._alive:
            # Runners on one target fail for the same reason, so each message is kept once.
            raise TargetError(" ".join(failures) or "The pool has no board.")
        for message in failures:
            warn(f"{message} Continuing without it.")
        self._check_identical()

    def complete(self, waves: Iterable[Wave], on_progress: Callable[[int], None] | None = None) -> Iterator[WaveResult]:
        """Give each wave to the next free worker, and yield the results in the order of completion."""
        for _, result in self._share(waves, on_progress):
            assert isinstance(result, WaveResult)
            yield result

    def score(self, texts: Iterable[Score], on_progress: Callable[[int], None] | None = None) -> Iterator[Scores]:
        """Give each text to the next free worker, and yield the results in the order of the texts."""
        early: dict[int, Scores] = {}
        due = 0
        for number, result in self._share(texts, on_progress):
            assert isinstance(result, Scores)
            early[number] = result
            while due in early:
                yield early.pop(due)
                due += 1

    def _share(
        self, work: Iterable[Wave | Score], on_progress: Callable[[int], None] | None
    ) -> Iterator[tuple[int, WaveResult | Scores]]:
        """Give each job to a free worker; if a worker dies, give its job to another. Yield numbers and results."""
        waiting = deque(_Job(number, item) for number, item in enumerate(work))
        advanced: dict[_Worker, int] = {}
        busy: set[_Worker] = set()
        n_finished = 0
        while waiting or busy:
            for worker in [w for w in self._alive if w not in busy][: len(waiting)]:
                worker.jobs.put(waiting.popleft())
                busy.add(worker)
            event = self._events.get()
            if isinstance(event, _Advanced):
                advanced[event.worker] = event.finished
            elif isinstance(event, _Finished):
                busy.discard(event.worker)
                advanced.pop(event.worker, None)
                n_finished += len(event.result.completions) if isinstance(event.result, WaveResult) else 1
            elif isinstance(event, _Ended):
                busy.discard(event.worker)
                advanced.pop(event.worker, None)
                self._alive.remove(event.worker)
                error = _target_error(event)
                if not self._alive:
                    raise error
                warn(f"{error} Continuing without it.")
                if event.job is not None:
                    waiting.appendleft(event.job)
            if on_progress:
                on_progress(n_finished + sum(advanced.values()))
            if isinstance(event, _Finished):
                yield event.job.number, event.result

    def close(self) -> None:
        """Tell every worker that there is no more work, and wait until all sessions are closed."""
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
                    warn(str(event.error))  # all results have arrived, so a board that dies now loses nothing

    def abort(self) -> None:
        """End all sessions immediately, including those that are still being opened."""
        for worker in self._starting:
            worker.jobs.put(None)
            if worker.is_alive():
                kill_owned(worker.ident)
        for worker in self._starting:
            if worker.ident is not None:
                worker.join(_JOIN_SECONDS)

    @property
    def _sessions(self) -> list[Session]:
        return self._closed or [worker.session for worker in self._alive if worker.session is not None]

    def _check_identical(self) -> None:
        infos = [session.info for session in self._sessions]
        for name in IDENTICAL_FIELDS:
            values = sorted({str(getattr(info, name)) for info in infos})
            if len(values) > 1:
                raise TargetError(
                    f"The boards of a pool must be identical, but their {name} differs: {', '.join(values)}."
                )


def _target_error(event: _Ended) -> TargetError:
    """Return the error that made a board fail. Raise any other error, because it concerns all boards."""
    error = event.error or TargetError("A board ended its session unexpectedly.")
    if not isinstance(error, TargetError):
        raise error
    return error


def _totals_of(session: Session) -> Totals | None:
    try:
        return session.totals
    except RuntimeError:
        return None


_JOIN_SECONDS = 5.0
"""How long to wait for a thread whose process was killed."""

_SUMMED = ("waves", "problems", "prompt_tokens", "decode_tokens")
_HIGHEST = ("seconds", "load_seconds", "peak_rss_bytes")
