"""Random samples, drawn by a seed: the problems to label, and the new problems to train on."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from fdd_edge.records import Problem

__all__ = ["sample_new", "sample_pool"]


def sample_pool(pool: Sequence[Problem], limit: int, seed: int) -> list[Problem]:
    """Draw ``limit`` problems, spread evenly over sources and the rounds in which they were written.

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


def sample_new(problems: Sequence[Problem], limit: int | None, seed: int) -> list[Problem]:
    """Draw ``limit`` new problems, from each branch in proportion to its size; they keep their order.

    A parent's second offspring is only drawn if there are too few first ones.
    """
    if limit is None or len(problems) <= limit:
        return list(problems)
    rng = random.Random(f"new:{seed}")
    branches: dict[str, list[int]] = defaultdict(list)
    for index, problem in enumerate(problems):
        branches[problem.origin].append(index)
    shares = _apportion({origin: len(own) for origin, own in branches.items()}, limit)
    drawn: set[int] = set()
    for origin in sorted(branches):
        own = branches[origin]
        rng.shuffle(own)
        siblings: Counter[str | None] = Counter()
        rank = []
        for index in own:
            parent = problems[index].parent_id
            rank.append((siblings[parent], index))
            siblings[parent] += 1
        rank.sort(key=lambda item: item[0])
        drawn |= {index for _, index in rank[: shares[origin]]}
    return [problem for index, problem in enumerate(problems) if index in drawn]


def _apportion(sizes: dict[str, int], limit: int) -> dict[str, int]:
    """Divide ``limit`` in proportion to the sizes; what rounding leaves over goes to the largest remainders."""
    total = sum(sizes.values())
    shares = {name: limit * size // total for name, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda name: (-(limit * sizes[name] % total), name))
    for name in by_remainder[: limit - sum(shares.values())]:
        shares[name] += 1
    return shares
