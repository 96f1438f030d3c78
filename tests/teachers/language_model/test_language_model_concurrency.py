"""The limit on calls in flight: down once per burst, up slowly, and never past its ends."""

from __future__ import annotations

import asyncio

import pytest

from fdd_edge.teachers.language_model._clock import SystemClock
from fdd_edge.teachers.language_model._concurrency import Concurrency, StoppedError


def test_a_burst_cuts_the_limit_once() -> None:
    slots = Concurrency(32, SystemClock())
    for _ in range(10):
        slots.throttled(0, 0)
    assert slots.limit == 24
    slots.throttled(slots.cuts, 0)
    assert slots.limit == 18


def test_the_limit_stays_between_one_and_its_maximum() -> None:
    slots = Concurrency(4, SystemClock())
    for _ in range(20):
        slots.throttled(slots.cuts, 0)
    assert slots.limit == 1
    for _ in range(24):
        slots.succeeded()
    assert slots.limit == 1
    for _ in range(25 * 10):
        slots.succeeded()
    assert slots.limit == 4


def test_slots_are_given_in_order_and_none_is_lost_when_somebody_leaves() -> None:
    async def run() -> list[int]:
        slots = Concurrency(2, SystemClock())
        order: list[int] = []

        async def one(number: int) -> None:
            await slots.acquire()
            order.append(number)
            assert slots.in_flight <= 2
            await asyncio.sleep(0)
            slots.release()

        tasks = [asyncio.create_task(one(number)) for number in range(6)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert slots.in_flight == 0
        return order

    assert asyncio.run(run()) == [0, 1, 2, 4, 5]


def test_whoever_waits_when_all_is_stopped_is_woken() -> None:
    async def run() -> None:
        slots = Concurrency(1, SystemClock())
        await slots.acquire()
        waiting = [asyncio.create_task(slots.acquire()), asyncio.create_task(slots.sleep(3600))]
        await asyncio.sleep(0)
        slots.stop()
        for task in waiting:
            with pytest.raises(StoppedError):
                await task

    asyncio.run(run())
