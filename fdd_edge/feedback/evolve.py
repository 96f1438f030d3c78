"""Which problems evolve into what: more complex ones from easy, similar ones from hard.

FDD (arXiv 2411.14698), section 3.3. Borderline and lost problems count as hard; format failures are trained
on again and never evolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fdd_edge.feedback.split import Split
from fdd_edge.records import Origin, Problem

__all__ = ["Branch", "branches", "offspring"]


class Branch(NamedTuple):
    """The parents of one kind of offspring.

    Attributes:
        origin: What the offspring will be: ``complex`` or ``similar``.
        parents: Problems to evolve.
        too_deep: Problems left alone because their ancestry is long enough.
    """

    origin: Origin
    parents: list[Problem]
    too_deep: int


def branches(split: Split, *, max_depth: int) -> list[Branch]:
    """Return both branches of a split; a problem whose depth has reached ``max_depth`` is left alone."""
    easy = [item.problem for item in split["easy"]]
    hard = [item.problem for label in ("hard", "borderline", "lost") for item in split[label]]
    found = []
    sides: tuple[tuple[Origin, list[Problem]], ...] = (("complex", easy), ("similar", hard))
    for origin, problems in sides:
        shallow = [p for p in problems if p.depth < max_depth]
        found.append(Branch(origin, shallow, len(problems) - len(shallow)))
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
