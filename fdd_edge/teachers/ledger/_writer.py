"""The one thread that touches the ledger's database; what is asked of it at the same time is committed together."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["Writer"]

T = TypeVar("T")

_MOST_AT_ONCE = 500
"""Operations in one transaction; more would let the first of them wait for long."""

_Job = tuple[Callable[[sqlite3.Connection], Any], "Future[Any]"]


class Writer:
    """Runs operations on a database, in order, in a thread of its own.

    Every commit waits for the disk, so operations that come while one is being written share the next commit. An
    operation has an effect on disk before its caller gets the result.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Start the thread; ``connect`` is called in it.

        Raises:
            sqlite3.Error: The database cannot be opened.
        """
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._work, args=(connect, opened), name="ledger", daemon=True)
        self._thread.start()
        opened.result()

    async def __call__(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Run an operation and return its result, which is on disk then.

        Raises:
            sqlite3.Error: It failed, or the transaction that it was part of.
        """
        return await asyncio.wrap_future(self.submit(operation))

    def submit(self, operation: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Hand in an operation, whose result comes later."""
        result: Future[T] = Future()
        # From here on it cannot be cancelled: a paid reply is written whoever still waits for it.
        result.set_running_or_notify_cancel()
        self._jobs.put((operation, result))
        return result

    def close(self) -> None:
        """Wait for what was handed in, and close the database."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self, connect: Callable[[], sqlite3.Connection], opened: Future[None]) -> None:
        try:
            connection = connect()
        except BaseException as error:
            opened.set_exception(error)
            return
        opened.set_result(None)
        with connection:
            while (jobs := self._next_jobs()) is not None:
                _commit(connection, jobs)
        connection.close()

    def _next_jobs(self) -> list[_Job] | None:
        """Wait for a job, and return it with those that follow at once; None at the end."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == _MOST_AT_ONCE:
                return jobs
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._jobs.put(None)  # the end comes after them
        return jobs or None


def _commit(connection: sqlite3.Connection, jobs: list[_Job]) -> None:
    """Run jobs in one transaction, and report the results when it is on disk."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        results = [operation(connection) for operation, _ in jobs]
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if len(jobs) > 1:  # one of them is at fault, the others are not
            for job in jobs:
                _commit(connection, [job])
            return
        jobs[0][1].set_exception(error)
        return
    for (_, future), result in zip(jobs, results, strict=True):
        future.set_result(result)
