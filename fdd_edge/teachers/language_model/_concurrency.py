"""How many calls are in flight: fewer when the endpoint says that they are too many, slowly more again.

The rule is that of TCP's congestion control, as NVIDIA's NeMo Data Designer uses it for endpoints: cut on a 429, once
per burst, and one more after a number of successes.
"""

from __future__ import annotations

import asyncio
from collections import deque

from fdd_edge.teachers.language_model._clock import Clock

__all__ = ["Concurrency", "StoppedError"]

_KEPT_ON_CUT = 0.75
_SUCCESSES_PER_STEP = 25


class StoppedError(Exception):
    """Nothing more is sent."""


class Concurrency:
    """Slots for calls, given in the order in which they were asked for.

    Attributes:
        limit: Calls that may be in flight now; between 1 and ``most``.
        in_flight: Calls that are.
    """

    def __init__(self, most: int, clock: Clock) -> None:
        self.limit = most
        self.in_flight = 0
        self._most = most
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._sleeping: set[asyncio.Future[None]] = set()
        self._stopped = False
        self._successes = 0
        self._cuts = 0
        self._resume_at = 0.0

    async def acquire(self) -> None:
        """Wait for a slot.

        Raises:
            StoppedError: Nothing more is sent.
        """
        while True:
            self._check()
            if (pause := self._resume_at - self._clock.now()) > 0:
                await self.sleep(pause)
            elif self.in_flight < self.limit and not self._waiting:
                self.in_flight += 1
                return
            else:
                await self._wait_for_slot()
                self._check()
                if self._resume_at <= self._clock.now():
                    return
                self.release()

    def release(self) -> None:
        """Give a slot back."""
        self.in_flight -= 1
        self._hand_out()

    async def sleep(self, seconds: float) -> None:
        """Wait without a slot.

        Raises:
            StoppedError: Nothing more is sent.
        """
        self._check()
        sleep = asyncio.ensure_future(self._clock.sleep(seconds))
        self._sleeping.add(sleep)
        try:
            await asyncio.wait([sleep])
        finally:
            self._sleeping.discard(sleep)
            sleep.cancel()
        self._check()
        sleep.result()

    @property
    def cuts(self) -> int:
        """How often the limit was cut; a call remembers it from when it was sent."""
        return self._cuts

    def succeeded(self) -> None:
        """Note a reply."""
        if self.limit < self._most:
            self._successes += 1
            if self._successes == _SUCCESSES_PER_STEP:
                self._successes = 0
                self.limit += 1
                self._hand_out()

    def throttled(self, cuts_when_sent: int, retry_after: float) -> None:
        """Note that the endpoint has too many calls.

        Args:
            cuts_when_sent: ``cuts`` when the call was sent. Calls of before the last cut say nothing new.
            retry_after: Seconds for which nothing may be sent.
        """
        self._successes = 0
        self._resume_at = max(self._resume_at, self._clock.now() + retry_after)
        if cuts_when_sent == self._cuts:
            self._cuts += 1
            self.limit = max(1, int(self.limit * _KEPT_ON_CUT))

    def stop(self) -> None:
        """Give out no more slots, and wake everybody who waits."""
        self._stopped = True
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(StoppedError())
        self._waiting.clear()
        for sleep in self._sleeping:
            sleep.cancel()

    async def _wait_for_slot(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release()
            raise

    def _hand_out(self) -> None:
        while self._waiting and self.in_flight < self.limit:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self.in_flight += 1
                waiter.set_result(None)

    def _check(self) -> None:
        if self._stopped:
            raise StoppedError
