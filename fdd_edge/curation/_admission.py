"""Admits candidates to a training set: the checks run in order, and the first that fails is the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from fdd_edge.curation._offspring_checks import check_offspring
from fdd_edge.curation._reasons import Reason, RejectedError
from fdd_edge.curation._seen import Protected, Seen
from fdd_edge.curation._text import read_wording
from fdd_edge.ondevice.language import ProgramError, compute, count_operations, terse
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem, same_answer

__all__ = [
    "Admission",
    "Curated",
    "ProgramStyle",
    "check_examples",
    "check_program",
    "check_programs",
    "curate",
    "reject",
]

ProgramStyle = Literal["terse", "as_written"]
"""How programs are trained on: in their terse form, or in normal form only."""

_RENUMBERED_PER_SEED = 2
"""How many descendants of one seed problem may differ from another problem in their numbers only."""


class Curated(NamedTuple):
    """The candidates, split into two lists that keep their order.

    Attributes:
        kept: With the program in the style that was asked for, and its operations counted. A problem that differs from
            another one only in its numbers and names is marked ``renumbered``.
        rejected: Likewise if the program runs, otherwise unchanged; with the ``reason`` and either ``against``, the
            id of the colliding problem (``set:id`` in a test set), or possibly a ``detail``.
    """

    kept: list[Problem]
    rejected: list[Problem]


def curate(
    candidates: Sequence[Problem],
    *,
    known: Sequence[Problem] = (),
    valid: Sequence[Problem] = (),
    protected: Mapping[str, Sequence[Problem]],
    style: ProgramStyle = "as_written",
) -> Curated:
    """Split candidates into those that may be trained on and those that may not.

    Every program must run and give the answer, and no question may be a duplicate or from a test set. Problems that a
    teacher wrote (``origin`` is not ``seed``) must also use their numbers, have a sane answer, ask for one thing, have
    the requested number of operations, and not be near-duplicates.

    A seed problem may equal one of ``valid`` except for its people: ``valid`` is drawn from the same sources.

    Args:
        candidates: Problems that may be added; of two duplicates, the first is kept.
        known: The current training set, including the parents of new problems.
        valid: The validation set, which must not be trained on.
        protected: The test sets by name, which must not be trained on.
        style: What becomes of the programs; the checks are made on what is trained on.
    """
    return Admission(known, valid, protected, style).curate(candidates)


def check_programs(problems: Sequence[Problem], style: ProgramStyle = "as_written") -> Curated:
    """Split problems into those whose program runs and gives their answer, and the others; nothing else is checked."""
    kept: list[Problem] = []
    rejected: list[Problem] = []
    for problem in problems:
        try:
            kept.append(check_program(problem, style))
        except RejectedError as error:
            rejected.append(reject(problem, error.reason, detail=error.detail))
    return Curated(kept, rejected)


def check_examples(problems: Sequence[Problem], style: ProgramStyle = "as_written") -> Curated:
    """Split problems into those with a right program that occur for the first time, and the others.

    As in a run, a problem that occurs twice under one id does so on purpose, and the student's own programs are further
    ones for problems that occur.
    """
    checked, seen = check_programs(problems, style), Seen()
    kept: list[Problem] = []
    rejected = list(checked.rejected)
    questions: dict[str, str] = {}
    for problem in checked.kept:
        wording = read_wording(problem.question)
        is_copy = questions.get(problem.id) != problem.question and problem.origin != "own"
        if is_copy and (against := seen.find(problem, wording)):
            rejected.append(reject(problem, Reason.DUPLICATE, against=against))
            continue
        questions.setdefault(problem.id, problem.question)
        seen.add(problem, wording)
        kept.append(problem)
    return Curated(kept, rejected)


def reject(problem: Problem, reason: Reason, *, against: str | None = None, detail: str | None = None) -> Problem:
    """Return a problem with the reason for its rejection."""
    return replace(problem, reason=reason.value, against=against, detail=detail)


class Admission:
    """Curates candidates that come one after the other, and remembers those that it has kept; see ``curate``."""

    def __init__(
        self,
        known: Sequence[Problem],
        valid: Sequence[Problem],
        protected: Mapping[str, Sequence[Problem]],
        style: ProgramStyle = "as_written",
    ) -> None:
        self._seen, self._valid, self._protected = Seen(), Protected({"valid": valid}), Protected(protected)
        self._style = style
        self._admitted: dict[str, Problem] = {}
        self._renumbered: Counter[str] = Counter()
        for problem in known:
            self._remember(problem)

    def curate(self, candidates: Sequence[Problem]) -> Curated:
        """Split candidates into those that may be trained on and those that may not."""
        kept: list[Problem] = []
        rejected: list[Problem] = []
        for problem in candidates:
            try:
                problem = check_program(problem, self._style)
                kept.append(self.admit(problem))
            except RejectedError as error:
                rejected.append(reject(problem, error.reason, against=error.against, detail=error.detail))
        return Curated(kept, rejected)

    def admit(self, problem: Problem) -> Problem:
        """Admit a problem with a correct program; return it as it goes into the training set.

        Raises:
            RejectedError: The problem may not be trained on.
        """
        is_new = problem.origin != "seed"
        if is_new:
            check_offspring(problem, self._admitted.get(str(problem.parent_id)))
        problem = self._check_collision(problem, is_new=is_new)
        self._remember(problem)
        return problem

    def _check_collision(self, problem: Problem, *, is_new: bool) -> Problem:
        wording = read_wording(problem.question)
        if against := self._seen.find(problem, wording):
            raise RejectedError(Reason.DUPLICATE, against=against)
        if against := self._valid.find(wording) or self._protected.find_any(wording):
            raise RejectedError(Reason.LEAKS, against=against)
        if not is_new:
            return problem
        if against := self._valid.find_similar(wording):
            raise RejectedError(Reason.LEAKS, against=against)
        if against := self._seen.find_renumbered(wording):
            if self._renumbered[self._seed_of(problem)] >= _RENUMBERED_PER_SEED:
                raise RejectedError(Reason.RENUMBERED_TOO_OFTEN, against=against)
            return replace(problem, renumbered=True)
        if against := self._seen.find_near(wording):
            raise RejectedError(Reason.NEAR_DUPLICATE, against=against)
        return replace(problem, renumbered=False)

    def _remember(self, problem: Problem) -> None:
        earlier = self._admitted.get(problem.id)
        if earlier is not None and earlier.question == problem.question:
            # If problems are labelled before they are trained on, the same one is in the data and in the reserve.
            return
        self._seen.add(problem, read_wording(problem.question))
        self._admitted.setdefault(problem.id, problem)
        if problem.origin != "seed" and problem.renumbered:
            self._renumbered[self._seed_of(problem)] += 1

    def _seed_of(self, problem: Problem) -> str:
        """Return the id of a problem's earliest known ancestor."""
        while problem.parent_id is not None:
            if problem.parent_id not in self._admitted:
                return problem.parent_id
            problem = self._admitted[problem.parent_id]
        return problem.id


def check_program(problem: Problem, style: ProgramStyle) -> Problem:
    """Return the problem with its program in normal form, and in its terse form if that is the style."""
    if problem.program is None:
        raise RejectedError(Reason.NO_RATIONALE)
    try:
        written, result = compute(problem.program)
        n_ops = count_operations(written)
    except ProgramError as error:
        parses = error.verdict in (Verdict.error, Verdict.limit)
        raise RejectedError(Reason.DOES_NOT_RUN if parses else Reason.DOES_NOT_PARSE, detail=str(error)) from None
    if not same_answer(result, problem.answer):
        raise RejectedError(Reason.WRONG_ANSWER, detail=f"gives {result}, not {problem.answer}")
    program = terse(written) if style == "terse" else written
    return replace(problem, program=program, written=problem.written if program == written else written, n_ops=n_ops)
