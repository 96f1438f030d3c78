"""The door to a training set: each candidate goes through the checks in turn, and the first that fails names why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from fdd_edge.curation._seen import Protected, Seen
from fdd_edge.curation._text import read_wording
from fdd_edge.ondevice.language import ProgramError, count_operations, normalize, run_program
from fdd_edge.records import Problem, same_answer

__all__ = ["Curated", "Reason", "count_reasons", "curate"]


class Reason(StrEnum):
    """Why a candidate may not be trained on."""

    NO_RATIONALE = "no_rationale"
    PROGRAM_FAILS = "program_fails"
    WRONG_ANSWER = "wrong_answer"
    DUPLICATE = "duplicate"
    LEAKS = "leaks"


class Curated(NamedTuple):
    """The candidates in their order, parted.

    Attributes:
        kept: With the program in normal form and its operations counted.
        rejected: As they came, with ``reason`` in ``extra``, and ``against``: what it collides with, a problem's id
            or ``set:id``. A program that fails has ``detail`` in place of ``against``.
    """

    kept: list[Problem]
    rejected: list[Problem]


class _RejectedError(Exception):
    """A check's verdict; ``facts`` go into the rejected record beside the reason."""

    def __init__(self, reason: Reason, **facts: str) -> None:
        self.reason = reason
        self.facts = facts


def curate(
    candidates: Sequence[Problem],
    *,
    known: Sequence[Problem] = (),
    protected: Mapping[str, Sequence[Problem]],
) -> Curated:
    """Part the candidates into those that may be trained on and those that may not.

    Args:
        candidates: What might be trained on; of two alike the first is kept.
        known: What is in the training set already.
        protected: The validation and test sets by name, which training must not have seen.
    """
    kept: list[Problem] = []
    rejected: list[Problem] = []
    seen, guarded = Seen(), Protected(protected)
    for problem in known:
        seen.add(problem, read_wording(problem.question))
    for candidate in candidates:
        try:
            problem = _check_program(candidate)
            _check_collision(problem, seen, guarded)
            kept.append(problem)
        except _RejectedError as why:
            rejected.append(_with_reason(candidate, why))
    return Curated(kept, rejected)


def count_reasons(rejected: Sequence[Problem]) -> dict[str, int]:
    """Count rejected problems by their ``reason``, commonest first."""
    return dict(Counter(str(problem.extra["reason"]) for problem in rejected).most_common())


def _check_program(problem: Problem) -> Problem:
    """Return the problem with its program in normal form."""
    if problem.program is None:
        raise _RejectedError(Reason.NO_RATIONALE)
    try:
        program = normalize(problem.program)
        result = run_program(program)
        n_ops = count_operations(program)
    except ProgramError as error:
        raise _RejectedError(Reason.PROGRAM_FAILS, detail=str(error)) from None
    if not same_answer(result, problem.answer):
        raise _RejectedError(Reason.WRONG_ANSWER, detail=f"gives {result}, not {problem.answer}")
    return replace(problem, program=program, n_ops=n_ops)


def _check_collision(problem: Problem, seen: Seen, guarded: Protected) -> None:
    """Remember a problem that collides with none."""
    wording = read_wording(problem.question)
    if against := seen.find(problem, wording):
        raise _RejectedError(Reason.DUPLICATE, against=against)
    if against := guarded.find(wording):
        raise _RejectedError(Reason.LEAKS, against=against)
    seen.add(problem, wording)


def _with_reason(problem: Problem, why: _RejectedError) -> Problem:
    return replace(problem, extra={**problem.extra, "reason": why.reason.value, **why.facts})
