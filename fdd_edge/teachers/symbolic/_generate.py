"""Writes problems from the situations, in a fixed number from a seed."""

from __future__ import annotations

from random import Random
from typing import Literal

from fdd_edge.errors import FddError
from fdd_edge.ondevice.language import count_operations
from fdd_edge.records import Problem
from fdd_edge.teachers._interface import Draft
from fdd_edge.teachers.symbolic._plans import operations_of
from fdd_edge.teachers.symbolic._situation import END, Situation
from fdd_edge.teachers.symbolic._telling import Drawn, add_step, draw_situation, fitting_steps, tell
from fdd_edge.teachers.symbolic.situations import SITUATIONS

__all__ = ["Split", "generate"]

Split = Literal["train", "heldout"]

_ATTEMPTS = 50
_FURTHER = (0.45, 0.45, 0.45)
"""The chances that a first further step follows in a training problem, that a second follows a first, and so on."""
_MOST_OPERATIONS = 8


def generate(
    split: Split, n: int, seed: int, *, max_operations: int | None = None, name: str | None = None
) -> list[Problem]:
    """Write ``n`` different problems, dealt evenly over the situations of a split.

    The first problems do not depend on ``n``: ten are the first ten of twenty.

    Args:
        split: Which situations.
        n: How many problems.
        seed: Of all draws.
        max_operations: Operations a problem may have; None for 8. Situations that have more take no part.
        name: What the ids begin with; ``symbolic-`` and the split when None.

    Raises:
        FddError: There is no such split, or a situation has no more different problems to give.
    """
    if split not in ("train", "heldout"):
        raise FddError(f"The symbolic teacher has the splits 'train' and 'heldout', not {split!r}.")
    if n < 0:
        raise FddError(f"The symbolic teacher cannot write {n} problems; ask for 0 or more.")
    most = _MOST_OPERATIONS if max_operations is None else max_operations
    if not 1 <= most <= _MOST_OPERATIONS:
        raise FddError(f"max_operations is {most}, but the symbolic teacher's problems have 1 to {_MOST_OPERATIONS}.")
    situations = [
        situation
        for situation in SITUATIONS.values()
        if situation.held_out == (split == "heldout") and operations_of(situation) <= most
    ]
    told: set[str] = set()
    problems = []
    for index in range(n):
        problem = _new_problem(situations[index % len(situations)], f"{seed}:{split}:{index}", told, most)
        if problem is None:
            raise FddError(
                f"The symbolic teacher found only {index} different problems for the split {split!r} with seed {seed}; "
                f"ask for at most that many instead of {n}."
            )
        question, program, answer, extra = problem
        told.add(question)
        problems.append(
            Problem(
                id=f"{name or f'symbolic-{split}'}-{index:05d}",
                question=question,
                answer=answer,
                source="symbolic",
                program=program,
                n_ops=count_operations(program),
                teacher="symbolic",
                extra=extra,
            )
        )
    return problems


def _new_problem(situation: Situation, seed: str, told: set[str], most: int) -> Draft | None:
    rng = Random(seed)
    for _ in range(_ATTEMPTS):
        drawn = draw_situation(situation, rng)
        if drawn is not None:
            draft = tell(_go_further(drawn, rng, most))
            if draft.question not in told:
                return draft
    return None


def _go_further(drawn: Drawn, rng: Random, most: int) -> Drawn:
    """Let further steps follow by chance, as long as the problem stays within the most operations."""
    for chance in _FURTHER:
        if rng.random() >= chance:
            break
        # A step from which none goes on is left to the loop, which makes every seed problem harder.
        fitting = [step for step in fitting_steps(drawn, rng) if step.result != END]
        further = (more for step in fitting if (more := add_step(drawn, step, rng)))
        longer = next(further, None)
        if longer is None or count_operations(tell(longer).program) > most:
            break
        drawn = longer
    return drawn
