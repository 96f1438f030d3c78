"""Which problems evolve into what: more complex ones from easy, similar ones from hard.

FDD (arXiv 2411.14698), section 3.3. Borderline and lost problems count as hard; format failures are trained
on again and never evolved. Other policies are the controls that this one is measured against.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from fdd_edge.feedback.labelling import Label, Split
from fdd_edge.records import Origin, Problem

__all__ = ["POLICIES", "Branch", "Policy", "Side", "branches", "offspring", "without_offspring"]

Policy = Literal["fdd", "random", "inverted", "none"]
"""``fdd``: complex ones from easy, similar ones from hard. ``inverted``: the other way round. ``random``: as many of
each as under ``fdd``, from parents drawn by chance. ``none``: nothing is written."""
POLICIES: tuple[Policy, ...] = get_args(Policy)

_SIDES: dict[str, tuple[Label, ...]] = {"easy": ("easy",), "hard": ("hard", "borderline", "lost")}


class Branch(NamedTuple):
    """The parents of one kind of offspring.

    Attributes:
        origin: What the offspring will be: ``complex`` or ``similar``.
        parents: Problems to evolve.
        too_deep: Problems left alone because their ancestry is long enough.
    """

    origin: Origin
    parents: list[Problem]
    too_deep: list[Problem]


def branches(split: Split, *, max_depth: int, policy: Policy = "fdd", seed: int = 0) -> list[Branch]:
    """Return both branches of a split; a problem whose depth has reached ``max_depth`` is left alone."""
    easy, hard = (_on_side(split, side) for side in ("easy", "hard"))
    complex_, similar = {
        "fdd": (easy, hard),
        "inverted": (hard, easy),
        "random": _deal(easy, hard, seed),
        "none": ([], []),
    }[policy]
    sides: tuple[tuple[Origin, list[Problem]], ...] = (("complex", complex_), ("similar", similar))
    return [
        Branch(origin, [p for p in own if p.depth < max_depth], [p for p in own if p.depth >= max_depth])
        for origin, own in sides
    ]


def _on_side(split: Split, side: str) -> list[Problem]:
    return [item.problem for label in _SIDES[side] for item in split[label]]


def _deal(easy: Sequence[Problem], hard: Sequence[Problem], seed: int) -> tuple[list[Problem], list[Problem]]:
    """Deal the same problems into two parts of the same sizes by chance; each keeps their order."""
    together = [*easy, *hard]
    drawn = set(random.Random(f"policy:{seed}").sample(range(len(together)), len(easy)))
    first = [p for i, p in enumerate(together) if i in drawn]
    return first, [p for i, p in enumerate(together) if i not in drawn]


class Side(NamedTuple):
    """What came of the easy, or of the hard problems of a split.

    Attributes:
        parents: How many there are.
        without_offspring: How many have no offspring that may be trained on.
        reasons: Why, by reason, commonest first: a parent counts once, under what befell its first offspring.
    """

    parents: int
    without_offspring: int
    reasons: dict[str, int]


def without_offspring(split: Split, reasons: Mapping[str, str], with_offspring: set[str]) -> dict[str, Side]:
    """Say of each side of a split how many of its problems have no offspring, and why.

    Args:
        split: The labelled problems.
        reasons: What befell a parent or its offspring, by the parent's id.
        with_offspring: Ids of those with offspring.
    """
    found = {}
    for side in _SIDES:
        parents = _on_side(split, side)
        counts: dict[str, int] = defaultdict(int)
        for parent in parents:
            if parent.id not in with_offspring:
                counts[reasons.get(parent.id, "not_asked")] += 1
        ordered = dict(sorted(counts.items(), key=lambda item: -item[1]))
        found[side] = Side(len(parents), sum(counts.values()), ordered)
    return found


def offspring(
    parent: Problem,
    n: int,
    *,
    origin: Origin,
    round_number: int,
    teacher: str,
    question: str,
    program: str,
    answer: int | float,
    extra: Mapping[str, Any],
) -> Problem:
    """Return the n-th new problem of a parent, its ancestry recorded, for the round after ``round_number``."""
    return Problem(
        id=f"{parent.id}.r{round_number}{origin[0]}{n}",
        question=question,
        answer=answer,
        source=parent.source,
        program=program,
        origin=origin,
        parent_id=parent.id,
        depth=parent.depth + 1,
        round=round_number + 1,
        teacher=teacher,
        extra=extra,
    )
