"""Deals the problems of a bank to those that ask for some: the nearest pair first, and every problem once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heapreplace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["allot"]

_FIRST = 64
"""Candidates that are looked up at first. Most who ask need no more."""


def allot(rankings: Sequence[Callable[[], np.ndarray]], per_asker: int) -> list[list[int]]:
    """Deal problems to askers.

    Of all pairs of an asker and a problem, the nearest is dealt first, so that nobody loses a problem to one who asked
    earlier and is farther from it. Equally near pairs are dealt by the asker's position, then the problem's.

    Args:
        rankings: For every asker, what returns how near each problem is to it; 0 is out of the question. They may be
            called several times, because a large bank's would not fit into memory together.
        per_asker: The most that one gets.

    Returns:
        For every asker the positions of its problems, nearest first.
    """
    dealt: list[list[int]] = [[] for _ in rankings]
    queues = [_nearest_first(ranking) for ranking in rankings]
    heap = [
        (-near, asker, position)
        for asker, queue in enumerate(queues if per_asker > 0 else [])
        for near, position in [next(queue, (0.0, -1))]
        if near > 0
    ]
    heapify(heap)
    used: set[int] = set()
    while heap:
        _, asker, position = heap[0]
        if position not in used:
            used.add(position)
            dealt[asker].append(position)
        near, following = next(queues[asker], (0.0, -1)) if len(dealt[asker]) < per_asker else (0.0, -1)
        if near > 0:
            heapreplace(heap, (-near, asker, following))
        else:
            heappop(heap)
    return dealt


def _nearest_first(ranking: Callable[[], np.ndarray]) -> Iterator[tuple[float, int]]:
    """Yield nearness and position of every problem that is near at all, nearest first, ties by position."""
    import numpy as np

    yielded, wanted = 0, _FIRST
    while True:
        nearness = ranking()
        n = min(wanted, len(nearness))
        # Everything as near as the n-th, so that what is cut off does not depend on how ties are sorted.
        least = np.partition(nearness, -n)[-n] if n else 0.0
        found = np.flatnonzero((nearness >= least) & (nearness > 0))
        ordered = found[np.argsort(-nearness[found], kind="stable")]
        yield from ((float(nearness[position]), int(position)) for position in ordered[yielded:])
        if least <= 0 or len(ordered) == len(nearness):
            return
        yielded, wanted = len(ordered), 4 * max(wanted, len(ordered))
