"""Chooses which problems evolve: easy ones into more complex ones, hard ones into similar ones.

FDD (arXiv 2411.14698), section 3.3. Borderline and lost problems count as hard; format failures stay in the training
set and never evolve. The other policies are controls to compare with.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fdd_edge.feedback.feedback_options import Policy
from fdd_edge.feedback.labelling import Label, Split
from fdd_edge.records import Origin, Problem

__all__ = ["Branch", "Side", "branches", "offspring", "without_offspring"]

_SIDES: dict[str, tuple[Label, ...]] = {"easy": ("easy",), "hard": ("hard", "borderline", "lost")}


class Branch(NamedTuple):
    """The parents of one kind of new problem.

    Attributes:
        origin: The kind: ``complex`` or ``similar``.
        parents: Problems to evolve.
        too_deep: Problems that do not evolve because they have reached the maximum depth.
    """

    origin: Origin
    parents: list[Problem]
    too_deep: list[Problem]


def branches(split: Split, *, max_depth: int, policy: Policy = "fdd", seed: int = 0) -> list[Branch]:
    """Return both branches of a split; a problem at depth ``max_depth`` does not evolve."""
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
    """Deal the problems randomly into two groups of the same sizes; each group keeps their order."""
    together = [*easy, *hard]
    drawn = set(random.Random(f"policy:{seed}").sample(range(len(together)), len(easy)))
    first = [p for i, p in enumerate(together) if i in drawn]
    return first, [p for i, p in enumerate(together) if i not in drawn]


class Side(NamedTuple):
    """The outcome for the easy or the hard problems of a split.

    Attributes:
        parents: Number of problems.
        without_offspring: Number of problems without any accepted offspring.
        reasons: How many of those per reason, most common first; each parent is counted once, under the reason its
            first offspring was rejected.
    """

    parents: int
    without_offspring: int
    reasons: dict[str, int]


def without_offspring(split: Split, reasons: Mapping[str, str], with_offspring: set[str]) -> dict[str, Side]:
    """Count, for the easy and the hard problems of a split, those without offspring, and why.

    Args:
        split: The labelled problems.
        reasons: Why a parent has no offspring, by the parent's id.
        with_offspring: Ids of the parents with offspring.
    """
    outcomes = {}
    for side in _SIDES:
        parents = _on_side(split, side)
        counts: dict[str, int] = defaultdict(int)
        for parent in parents:
            if parent.id not in with_offspring:
                counts[reasons.get(parent.id, "not_asked")] += 1
        ordered = dict(sorted(counts.items(), key=lambda item: -item[1]))
        outcomes[side] = Side(len(parents), sum(counts.values()), ordered)
    return outcomes


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
    notes: Mapping[str, Any],
) -> Problem:
    """Return the n-th new problem of a parent, with its ancestry, for the round after ``round_number``."""
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
        teacher_notes=notes,
    )
