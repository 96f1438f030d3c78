"""Which problems of the pool are labelled in a round."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from fdd_edge.records import Problem

__all__ = ["sample_pool"]


def sample_pool(pool: Sequence[Problem], limit: int, seed: int) -> list[Problem]:
    """Draw ``limit`` problems by the seed, spread evenly over sources and the rounds they were written in.

    The drawn problems keep the order of the pool.
    """
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for index, problem in enumerate(pool):
        groups[problem.source, problem.round].append(index)
    rng = random.Random(seed)
    for members in groups.values():
        rng.shuffle(members)
    drawn: list[int] = []
    queues = [groups[key] for key in sorted(groups)]
    while queues and len(drawn) < limit:
        for queue in queues:
            drawn.append(queue.pop())
        queues = [queue for queue in queues if queue]
    return [pool[index] for index in sorted(drawn[:limit])]
