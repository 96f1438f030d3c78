"""The door to a training set: each candidate goes through the checks in turn, and the first that fails names why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from fdd_edge.curation._offspring import check_offspring
from fdd_edge.curation._reasons import Reason, RejectedError
from fdd_edge.curation._seen import Protected, Seen
from fdd_edge.curation._text import read_wording
from fdd_edge.ondevice.language import ProgramError, count_operations, normalize, run_program
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem, same_answer

__all__ = ["Curated", "curate", "reject", "with_right_programs"]

_RENUMBERED_PER_SEED = 2
"""How many problems of one seed's descent may differ from another in their numbers alone."""


class Curated(NamedTuple):
    """The candidates in their order, parted.

    Attributes:
        kept: With the program in normal form and its operations counted; one that differs from another in its numbers
            and names alone has ``renumbered`` in ``extra``.
        rejected: Where the program runs likewise, else as they came; with ``reason`` in ``extra``, and ``against``:
            what it collides with, a problem's id or ``set:id``. One that collides with nothing may have ``detail``.
    """

    kept: list[Problem]
    rejected: list[Problem]


def curate(
    candidates: Sequence[Problem],
    *,
    known: Sequence[Problem] = (),
    valid: Sequence[Problem] = (),
    protected: Mapping[str, Sequence[Problem]],
) -> Curated:
    """Part the candidates into those that may be trained on and those that may not.

    Every program must run and give the answer, and no question may stand twice or be of a test set. Problems that a
    teacher wrote (their ``origin`` is not ``seed``) must also use their numbers, have a sane answer, ask one thing,
    take the operations that were asked for, and be near to none that is there.

    Seed problems may tell what one of ``valid`` tells of other people: that set is a part of their own sources.

    Args:
        candidates: What might be trained on; of two alike the first is kept.
        known: What is in the training set already, parents of new problems among them.
        valid: The validation set, which training must not have seen.
        protected: The test sets by name, likewise.
    """
    door = Admission(known, valid, protected)
    kept: list[Problem] = []
    rejected: list[Problem] = []
    for problem in candidates:
        try:
            problem = _check_program(problem)
            kept.append(door.admit(problem))
        except RejectedError as why:
            rejected.append(reject(problem, why.reason, **why.facts))
    return Curated(kept, rejected)


def with_right_programs(problems: Sequence[Problem]) -> list[Problem]:
    """Return the problems whose program runs and gives their answer, the program in normal form."""
    right = []
    for problem in problems:
        with suppress(RejectedError):
            right.append(_check_program(problem))
    return right


def reject(problem: Problem, reason: Reason, **facts: str) -> Problem:
    """Return the record of a problem that may not be trained on."""
    return replace(problem, extra={**problem.extra, "reason": reason.value, **facts})


class Admission:
    """What is inside so far, and what must stay outside."""

    def __init__(
        self, known: Sequence[Problem], valid: Sequence[Problem], protected: Mapping[str, Sequence[Problem]]
    ) -> None:
        self._seen, self._valid, self._protected = Seen(), Protected({"valid": valid}), Protected(protected)
        self._inside: dict[str, Problem] = {}
        self._renumbered: Counter[str] = Counter()
        for problem in known:
            self._remember(problem)

    def admit(self, problem: Problem) -> Problem:
        """Return a problem, whose program is right, as it may be trained on.

        Raises:
            RejectedError: It may not.
        """
        is_new = problem.origin != "seed"
        if is_new:
            check_offspring(problem, self._inside.get(str(problem.parent_id)))
        problem = self._check_collision(problem, is_new=is_new)
        self._remember(problem)
        return problem

    def _check_collision(self, problem: Problem, *, is_new: bool) -> Problem:
        wording = read_wording(problem.question)
        if against := self._seen.find(problem, wording):
            raise RejectedError(Reason.DUPLICATE, against=against)
        if against := self._valid.find(wording) or self._protected.find(wording) or self._protected.find_alike(wording):
            raise RejectedError(Reason.LEAKS, against=against)
        if not is_new:
            return problem
        if against := self._valid.find_alike(wording):
            raise RejectedError(Reason.LEAKS, against=against)
        if against := self._seen.find_renumbered(wording):
            if self._renumbered[self._seed_of(problem)] >= _RENUMBERED_PER_SEED:
                raise RejectedError(Reason.RENUMBERED_TOO_OFTEN, against=against)
            return replace(problem, extra={**problem.extra, "renumbered": True})
        if against := self._seen.find_near(wording):
            raise RejectedError(Reason.NEAR_DUPLICATE, against=against)
        return replace(problem, extra={key: value for key, value in problem.extra.items() if key != "renumbered"})

    def _remember(self, problem: Problem) -> None:
        inside = self._inside.get(problem.id)
        if inside is not None and inside.question == problem.question:
            # Where problems are labelled before they are trained on, one stands in the data and in the reserve.
            return
        self._seen.add(problem, read_wording(problem.question))
        self._inside.setdefault(problem.id, problem)
        if problem.origin != "seed" and problem.extra.get("renumbered"):
            self._renumbered[self._seed_of(problem)] += 1

    def _seed_of(self, problem: Problem) -> str:
        """Return the id of the problem that a descent began with, as far as it is inside."""
        while problem.parent_id is not None:
            if problem.parent_id not in self._inside:
                return problem.parent_id
            problem = self._inside[problem.parent_id]
        return problem.id


def _check_program(problem: Problem) -> Problem:
    """Return the problem with its program in normal form."""
    if problem.program is None:
        raise RejectedError(Reason.NO_RATIONALE)
    try:
        program = normalize(problem.program)
        result = run_program(program)
        n_ops = count_operations(program)
    except ProgramError as error:
        parses = error.verdict in (Verdict.error, Verdict.limit)
        raise RejectedError(Reason.DOES_NOT_RUN if parses else Reason.DOES_NOT_PARSE, detail=str(error)) from None
    if not same_answer(result, problem.answer):
        raise RejectedError(Reason.WRONG_ANSWER, detail=f"gives {result}, not {problem.answer}")
    return replace(problem, program=program, n_ops=n_ops)
