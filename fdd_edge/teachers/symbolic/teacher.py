"""The embedded teacher: it writes from situations, needs no model, and its answers are right by construction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from random import Random

from fdd_edge.records import Problem
from fdd_edge.teachers._protocol import Declined, Draft
from fdd_edge.teachers.symbolic._situation import Situation
from fdd_edge.teachers.symbolic._telling import Drawn, add_step, draw_situation, program_shape, read_drawn, tell
from fdd_edge.teachers.symbolic.foreign import renumber
from fdd_edge.teachers.symbolic.situations import SITUATIONS
from fdd_edge.teachers.symbolic.steps import STEPS

__all__ = ["SymbolicTeacher"]

_ATTEMPTS = 60
_TRAIN = tuple(situation for situation in SITUATIONS.values() if not situation.held_out)


class SymbolicTeacher:
    """Evolves its own problems, and draws new numbers for foreign ones that have a program."""

    name = "symbolic"

    async def rationale(self, problems: Sequence[Problem]) -> list[str | Declined]:
        """Return the program of each own problem; foreign ones are declined."""
        return [self._rationale(problem) for problem in problems]

    async def complexify(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Let a further step follow, whose result is asked for instead; a different step for each draft."""
        return [self._complexify(problem, per_problem, seed) for problem in problems]

    async def similar(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Draw own problems anew, from situations with the same operations; renumber foreign ones."""
        return [self._similar(problem, per_problem, seed) for problem in problems]

    def _decline(self, problem: Problem, reason: str) -> Declined:
        return Declined(problem.id, self.name, reason)

    def _rationale(self, problem: Problem) -> str | Declined:
        drawn = _own(problem)
        if drawn is None:
            return self._decline(problem, "unknown_situation")
        return problem.program or tell(drawn).program

    def _complexify(self, problem: Problem, per_problem: int, seed: int) -> list[Draft] | Declined:
        if _is_held_out(problem):
            return self._decline(problem, "held_out_situation")
        drawn = _own(problem)
        if drawn is None:
            return self._decline(problem, "foreign_problem")
        rng = Random(f"{seed}:{problem.id}:complex")
        harder = (add_step(drawn, step, rng) for step in rng.sample(list(STEPS.values()), len(STEPS)))
        drafts = [tell(more) for more in islice((more for more in harder if more is not None), per_problem)]
        return drafts if drafts or per_problem == 0 else self._decline(problem, "no_further_step")

    def _similar(self, problem: Problem, per_problem: int, seed: int) -> list[Draft] | Declined:
        if _is_held_out(problem):
            return self._decline(problem, "held_out_situation")
        drawn = _own(problem)
        rng = Random(f"{seed}:{problem.id}:similar")
        if drawn is None:
            renumbered = renumber(problem, per_problem, rng)
            return self._decline(problem, renumbered) if isinstance(renumbered, str) else renumbered
        drafts = _distinct(lambda: _redraw(drawn, rng), problem.question, per_problem)
        return drafts if drafts or per_problem == 0 else self._decline(problem, "no_other_numbers")


def _is_held_out(problem: Problem) -> bool:
    situation = SITUATIONS.get(str(problem.extra.get("situation")))
    return situation is not None and situation.held_out


def _own(problem: Problem) -> Drawn | None:
    """Return what a problem was told from; None for foreign ones, even where they carry the fields of an own parent."""
    drawn = read_drawn(problem.extra)
    return drawn if drawn is not None and tell(drawn).question == problem.question else None


def _distinct(draw: Callable[[], Draft | None], question: str, count: int) -> list[Draft]:
    """Draw until there are ``count`` drafts that differ from each other and from a question."""
    seen = {question}
    drafts: list[Draft] = []
    for _ in range(_ATTEMPTS * max(count, 1)):
        if len(drafts) == count:
            break
        draft = draw()
        if draft is not None and draft.question not in seen:
            seen.add(draft.question)
            drafts.append(draft)
    return drafts


def _redraw(drawn: Drawn, rng: Random) -> Draft | None:
    """Draw a sibling situation, and let the same steps follow; None where no sane numbers came up."""
    fresh: Drawn | None = draw_situation(rng.choice(list(_siblings(drawn))), rng)
    for step in drawn.steps:
        fresh = None if fresh is None else add_step(fresh, step.step, rng)
    return None if fresh is None else tell(fresh)


def _siblings(drawn: Drawn) -> Iterator[Situation]:
    """Yield the training situations with the same operations whose result the first step fits."""
    shape = _shape(drawn.situation)
    for situation in _TRAIN:
        fits = not drawn.steps or situation.result.kind in drawn.steps[0].step.of
        if fits and _shape(situation) == shape:
            yield situation


def _shape(situation: Situation) -> str:
    return program_shape(tell(draw_situation(situation, Random(0))).program)
