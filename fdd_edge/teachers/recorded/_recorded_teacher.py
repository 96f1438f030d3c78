"""A teacher that writes nothing itself: it gives out the problems of a bank, each once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Self

from fdd_edge.ondevice.language import ProgramError, count_operations
from fdd_edge.records import Problem, same_answer
from fdd_edge.teachers._interface import Declined, Draft, Rationale
from fdd_edge.teachers.recorded._allotment import allot
from fdd_edge.teachers.recorded._recorded_bank import Bank, question_key

if TYPE_CHECKING:
    import numpy as np

__all__ = ["RecordedTeacher"]

_SIMILAR = {0: 1.0, -1: 0.8, 1: 0.8}
"""What nearness counts, by the difference in operations: with one more or less, it must be larger by a quarter."""
_MORE_COMPLEX = {1: 1.0, 2: 1.0}


class RecordedTeacher:
    """Gives out the nearest problems of a bank. It draws nothing, so seeds change nothing."""

    writes_problems = True

    def __init__(self, name: str, read: Callable[[], Bank], *, taken: Collection[str] = frozenset()) -> None:
        """Take a bank, which is not read before it is needed: a finished run needs none.

        Args:
            name: The teacher's name, to which is added that it is a bank.
            read: Returns the bank, always the same one, so that it is indexed once.
            taken: Keys of questions that are not given out, see ``question_key``.
        """
        self.name = f"{name} (bank)"
        self._bank_name = name
        self._read = read
        self._taken = frozenset(taken)

    def without(self, questions: Iterable[str]) -> Self:
        """Return this teacher without the problems of these questions; case, spaces and typography do not count."""
        return type(self)(self._bank_name, self._read, taken=self._taken.union(map(question_key, questions)))

    async def rationale(self, problems: Sequence[Problem]) -> list[Rationale | Declined]:
        """Return the bank's program for the very question of each problem, if it gives the problem's answer."""
        bank = self._read()
        return [self._program(bank, problem) for problem in problems]

    async def complexify(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Return the nearest problems with one or two operations more."""
        return self._nearest(problems, per_problem, _MORE_COMPLEX)

    async def similar(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Return the nearest problems with as many operations, or one more or less if these are much nearer."""
        return self._nearest(problems, per_problem, _SIMILAR)

    def _decline(self, problem: Problem, reason: str) -> Declined:
        return Declined(problem.id, self.name, reason)

    def _program(self, bank: Bank, problem: Problem) -> Rationale | Declined:
        found = [bank.problems[at] for at in bank.by_question.get(question_key(problem.question), ())]
        for recorded in found:
            if recorded.program is not None and same_answer(recorded.answer, problem.answer):
                return Rationale(recorded.program, self._notes_of(recorded))
        return self._decline(problem, "bank_has_other_answer" if found else "not_in_bank")

    def _nearest(
        self, problems: Sequence[Problem], per_problem: int, by_difference: Mapping[int, float]
    ) -> list[list[Draft] | Declined]:
        import numpy as np

        bank = self._read()
        operations = [_operations_of(problem) for problem in problems]
        taken = self._taken.union(question_key(problem.question) for problem in problems)
        offered = bank.offered
        left = _marked(len(bank.problems), (at for key, at in offered.items() if key not in taken))
        anyhow = _marked(len(bank.problems), offered.values())
        counts = np.array([problem.n_ops or 0 for problem in bank.problems])
        suits = {n: _suits(counts, n, by_difference) for n in {n for n in operations if n is not None}}

        def nearness(problem: Problem, n: int | None, among: np.ndarray) -> np.ndarray:
            if n is None:
                return np.zeros(len(among))
            weighted: np.ndarray = bank.nearness.of(problem.question) * suits[n] * among
            return weighted

        rankings: list[Callable[[], np.ndarray]] = [
            partial(nearness, problem, n, left) for problem, n in zip(problems, operations, strict=True)
        ]
        answers: list[list[Draft] | Declined] = []
        for problem, n, dealt in zip(problems, operations, allot(rankings, per_problem), strict=True):
            if dealt or per_problem == 0:
                answers.append([self._draft(bank.problems[at]) for at in dealt])
            elif n is None:
                answers.append(self._decline(problem, "no_program"))
            else:
                had_any = nearness(problem, n, anyhow).any()
                answers.append(self._decline(problem, "bank_exhausted" if had_any else "nothing_near_in_bank"))
        return answers

    def _draft(self, recorded: Problem) -> Draft:
        assert recorded.program is not None
        return Draft(recorded.question, recorded.program, recorded.answer, self._notes_of(recorded))

    def _notes_of(self, recorded: Problem) -> dict[str, str]:
        """Return where a problem is from: the bank, its row (its own id, or its line), and who wrote it if known."""
        notes = {"bank": self._bank_name, "row": recorded.id.removeprefix(f"{self._bank_name}-")}
        return notes if recorded.teacher is None else {**notes, "teacher": recorded.teacher}


def _operations_of(problem: Problem) -> int | None:
    """Return how many operations a problem has; None without a program."""
    if problem.n_ops is not None or problem.program is None:
        return problem.n_ops
    try:
        return count_operations(problem.program)
    except ProgramError:
        return None


def _marked(length: int, positions: Iterable[int]) -> np.ndarray:
    """Return True at these positions, and False elsewhere."""
    import numpy as np

    marks = np.zeros(length, dtype=bool)
    marks[list(positions)] = True
    return marks


def _suits(counts: np.ndarray, n: int, by_difference: Mapping[int, float]) -> np.ndarray:
    """Return what the nearness of each problem counts for one with ``n`` operations: 0 if it does not suit."""
    import numpy as np

    weights = np.zeros(len(counts))
    for difference, weight in by_difference.items():
        weights[counts == n + difference] = weight
    return weights
