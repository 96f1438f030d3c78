"""Share the waves of a data set between several runners: identical boards, or one process per core."""

from __future__ import annotations

import re
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import NamedTuple

from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice.protocol import Score, Scores, TargetInfo, Totals, Wave, WaveResult
from fdd_edge.progress import warn
from fdd_edge.targets.runner_session import kill_owned
from fdd_edge.targets.session import IDENTICAL_FIELDS, FalseAnswerError, OnWithdrawn, Session

__all__ = ["Board", "PoolSession", "pool_session"]


class Board(NamedTuple):
    """One runner of a pool: its name, and how a session with it is opened."""

    name: str
    open: Callable[[], AbstractContextManager[Session]]


@contextmanager
def pool_session(boards: Sequence[Board]) -> Iterator[PoolSession]:
    """Open all sessions at the same time, and close them together.

    A board that cannot be reached, or that cannot read a file which others read, is left out, with a message.

    Raises:
        TargetError: No board can be reached, or the boards are not identical.
        FddError: The model file is broken, or the prompt does not fit it.
    """
    pool = PoolSession(boards)
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

    def __init__(self, board: Board, events: SimpleQueue[_Event]) -> None:
        super().__init__(daemon=True)
        self._board = board
        self._events = events
        self.finished: list[_Job] = []
        self.jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self.session: Session | None = None

    def error_of(self, event: _Ended) -> FddError:
        """Return the error that ended this board's session, with its name. Raise any other error: it is a bug."""
        error = event.error or TargetError("A board ended its session unexpectedly.")
        if not isinstance(error, FddError):
            raise error
        if not re.search(rf"(^|\b(to|on) ){re.escape(self._board.name)}(?!\w)", message := str(error)):
            error.args = (f"{self._board.name}: {message}",)
        return error

    def run(self) -> None:
        """Open the session, do jobs until the queue gives None, and close the session."""
        job = None
        try:
            with self._board.open() as self.session:
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

    def __init__(self, boards: Sequence[Board]) -> None:
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._starting = [_Worker(board, self._events) for board in boards]
        self._alive: list[_Worker] = []
        self._believed: set[_Worker] = set()
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
        failed: list[FddError] = []
        for worker in self._starting:
            worker.start()
        for _ in self._starting:
            event = self._events.get()
            if isinstance(event, _Opened):
                self._alive.append(event.worker)
            elif isinstance(event, _Ended):
                failed.append(event.worker.error_of(event))
        # Runners on one target fail for the same reason, so each message is kept once.
        messages = list(dict.fromkeys(map(str, failed)))
        if not self._alive:
            # If any of them says that the file or the prompt is at fault, the user can fix that.
            of_user = [error for error in failed if not isinstance(error, TargetError)]
            raise of_user[0] if of_user else TargetError(" ".join(messages) or "The pool has no board.")
        for message in messages:
            warn(f"{message} Continuing without it.")
        self._check_identical()

    def complete(
        self,
        waves: Iterable[Wave],
        on_progress: Callable[[int], None] | None = None,
        on_withdrawn: OnWithdrawn | None = None,
    ) -> Iterator[WaveResult]:
        """Give each wave to the next free worker, and yield the results in the order of completion."""
        for _, result in self._share(waves, on_progress, on_withdrawn):
            assert isinstance(result, WaveResult)
            yield result

    def score(self, texts: Iterable[Score], on_progress: Callable[[int], None] | None = None) -> Iterator[Scores]:
        """Give each text to the next free worker, and yield the results in the order of the texts.

        None is yielded before all are there: until then a board may be caught lying.
        """
        results = dict(self._share(texts, on_progress))
        for number in sorted(results):
            result = results[number]
            assert isinstance(result, Scores)
            yield result

    def _share(
        self,
        work: Iterable[Wave | Score],
        on_progress: Callable[[int], None] | None,
        on_withdrawn: OnWithdrawn | None = None,
    ) -> Iterator[tuple[int, WaveResult | Scores]]:
        """Give each job to a free worker; if a worker dies, give its job to another. Yield numbers and results.

        The jobs of a worker that lied are given to others again, and yielded a second time.
        """
        self._believed.update(worker for worker in self._starting if worker.finished)
        for worker in self._starting:
            worker.finished = []
        waiting = deque(_Job(number, item) for number, item in enumerate(work))
        advanced: dict[_Worker, int] = defaultdict(int)
        busy: set[_Worker] = set()
        while waiting or busy:
            for worker in [w for w in self._alive if w not in busy][: len(waiting)]:
                worker.jobs.put(waiting.popleft())
                busy.add(worker)
            event = self._events.get()
            if isinstance(event, _Advanced):
                advanced[event.worker] = event.finished
            elif isinstance(event, _Finished):
                busy.discard(event.worker)
                advanced[event.worker] = 0
                event.worker.finished.append(event.job)
            elif isinstance(event, _Ended):
                busy.discard(event.worker)
                advanced[event.worker] = 0
                waiting.extendleft(reversed(self._leave_out(event, on_withdrawn)))
            if on_progress:
                n_finished = sum(_size(job.work) for worker in self._starting for job in worker.finished)
                on_progress(n_finished + sum(advanced.values()))
            if isinstance(event, _Finished):
                yield event.job.number, event.result

    def _leave_out(self, event: _Ended, on_withdrawn: OnWithdrawn | None) -> list[_Job]:
        """Go on without a worker that has failed; return its jobs, which others must do: if it lied, all of them.

        Raises:
            FddError: It was the last one, or it lied, and what it said in an earlier call has been used.
        """
        worker = event.worker
        self._alive.remove(worker)
        error, jobs = worker.error_of(event), [] if event.job is None else [event.job]
        if isinstance(error, FalseAnswerError):
            jobs = [*worker.finished, *jobs]
            error.waves = _waves_of(worker.finished)
            if worker in self._believed:
                raise FalseAnswerError(f"{error} Its earlier answers were used, so start over without it.")
        if not self._alive:
            raise error
        if not isinstance(error, FalseAnswerError) or not (n := len(worker.finished)):
            warn(f"{error} Continuing without it.")
            return jobs
        before = "answer is" if n == 1 else "answers are"
        warn(f"{error} Continuing without it. Its {n} earlier {before} not used; the others answer again.")
        worker.finished = []
        if on_withdrawn and error.waves:
            on_withdrawn(error.waves)
        return jobs

    def close(self) -> None:
        """Tell every worker that there is no more work, and wait until all sessions are closed."""
        self._closed = self._sessions
        for worker in self._alive:
            worker.jobs.put(None)
        while self._alive:
            event = self._events.get()
            if isinstance(event, _Ended):
                self._alive.remove(event.worker)
                if event.error is None:
                    continue
                error = event.worker.error_of(event)
                if isinstance(error, FalseAnswerError):
                    error.waves = _waves_of(event.worker.finished)
                    raise error
                warn(str(error))  # all results have arrived, so a board that dies now loses nothing

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


def _size(work: Wave | Score) -> int:
    return len(work.tasks) if isinstance(work, Wave) else 1


def _waves_of(jobs: Iterable[_Job]) -> frozenset[int]:
    return frozenset(job.work.index for job in jobs if isinstance(job.work, Wave))


def _totals_of(session: Session) -> Totals | None:
    try:
        return session.totals
    except RuntimeError:
        return None


_JOIN_SECONDS = 5.0
"""How long to wait for a thread whose process was killed."""

_SUMMED = ("waves", "problems", "prompt_tokens", "decode_tokens")
_HIGHEST = ("seconds", "load_seconds", "peak_rss_bytes")
