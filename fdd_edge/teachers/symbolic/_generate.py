"""Writes a given number of problems from the situations, determined by a seed."""

from __future__ import annotations

from random import Random
from typing import Literal

from fdd_edge.errors import FddError
from fdd_edge.ondevice.language import count_operations
from fdd_edge.records import Problem
from fdd_edge.teachers._interface import Draft
from fdd_edge.teachers.symbolic._drawing import add_step, draw_situation, fitting_steps
from fdd_edge.teachers.symbolic._plans import operations_of
from fdd_edge.teachers.symbolic._rendering import Drawn, render
from fdd_edge.teachers.symbolic._situation import END, Situation
from fdd_edge.teachers.symbolic.situations import SITUATIONS

__all__ = ["Split", "generate"]

Split = Literal["train", "heldout"]

_ATTEMPTS = 50
_FURTHER = (0.45, 0.45, 0.45)
"""The probability that a problem gets a first further step, that one with a first gets a second, and so on."""
_MOST_OPERATIONS = 8


def generate(
    split: Split, n: int, seed: int, *, max_operations: int | None = None, name: str | None = None
) -> list[Problem]:
    """Write ``n`` distinct problems, spread evenly over the situations of a split.

    The first problems do not depend on ``n``: a set of ten is the first half of a set of twenty.

    Args:
        split: Which situations to use.
        n: Number of problems.
        seed: Seed of all random draws.
        max_operations: Most operations of a problem; None for 8. Situations with more operations are left out.
        name: Prefix of the ids; None for ``symbolic-`` and the split.

    Raises:
        FddError: There is no such split, or its situations give fewer distinct problems.
    """
    if split not in ("train", "heldout"):
        raise FddError(f"The symbolic teacher has no split {split!r}. Known: train, heldout.")
    if n < 0:
        raise FddError(f"The symbolic teacher cannot write {n} problems; the number must be at least 0.")
    most = _MOST_OPERATIONS if max_operations is None else max_operations
    if not 1 <= most <= _MOST_OPERATIONS:
        raise FddError(f"max_operations must be 1 to {_MOST_OPERATIONS} for the symbolic teacher, not {most}.")
    situations = [
        situation
        for situation in SITUATIONS.values()
        if situation.held_out == (split == "heldout") and operations_of(situation) <= most
    ]
    seen: set[str] = set()
    problems = []
    for index in range(n):
        problem = _new_problem(situations[index % len(situations)], f"{seed}:{split}:{index}", seen, most)
        if problem is None:
            raise FddError(
                f"The symbolic teacher could make only {index} distinct problems, not {n}, for split {split!r} and "
                f"seed {seed}; set limit to {index} or less."
            )
        question, program, answer, notes = problem
        seen.add(question)
        problems.append(
            Problem(
                id=f"{name or f'symbolic-{split}'}-{index:05d}",
                question=question,
                answer=answer,
                source="symbolic",
                program=program,
                n_ops=count_operations(program),
                teacher="symbolic",
                teacher_notes=notes,
            )
        )
    return problems


def _new_problem(situation: Situation, seed: str, seen: set[str], most: int) -> Draft | None:
    rng = Random(seed)
    for _ in range(_ATTEMPTS):
        drawn = draw_situation(situation, rng)
        if drawn is not None:
            draft = render(_add_steps(drawn, rng, most))
            if draft.question not in seen:
                return draft
    return None


def _add_steps(drawn: Drawn, rng: Random, most: int) -> Drawn:
    """Add further steps at random, as long as the problem does not exceed the most operations."""
    for chance in _FURTHER:
        if rng.random() >= chance:
            break
        # Steps that no other step can follow are left to later rounds, which make every seed problem harder.
        fitting = [step for step in fitting_steps(drawn, rng) if step.result != END]
        further = (more for step in fitting if (more := add_step(drawn, step, rng)))
        longer = next(further, None)
        if longer is None or count_operations(render(longer).program) > most:
            break
        drawn = longer
    return drawn
