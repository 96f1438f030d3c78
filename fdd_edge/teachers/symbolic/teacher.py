"""The embedded teacher: it writes from situations, needs no model, and its answers are right by construction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, zip_longest
from random import Random

from fdd_edge.records import Problem
from fdd_edge.teachers._interface import Declined, Draft
from fdd_edge.teachers.symbolic._operation_graph import NotPlainError, operation_graph
from fdd_edge.teachers.symbolic._plans import Plan, draw_plan, plan_graph, plan_of, plans_for
from fdd_edge.teachers.symbolic._situation import END
from fdd_edge.teachers.symbolic._telling import Drawn, add_step, fitting_steps, read_drawn, tell
from fdd_edge.teachers.symbolic.foreign import ask_further, renumber
from fdd_edge.teachers.symbolic.situations import SITUATIONS

__all__ = ["SymbolicTeacher"]

_ATTEMPTS = 60
_RETOLD_FIRST = 0.7
"""Share of foreign problems for which a situation comes first, and then other numbers."""
_LEADS_ON = 0.9
"""Share of own problems for which a step from which none goes on is the last choice."""


class SymbolicTeacher:
    """Evolves its own problems, and draws new numbers for foreign ones that have a program."""

    name = "symbolic"
    writes_problems = True

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
        rng = Random(f"{seed}:{problem.id}:complex")
        if drawn is None:
            further = ask_further(problem, per_problem, rng)
            return self._decline(problem, further) if isinstance(further, str) else further
        drafts = [tell(more) for more in islice(_harder(drawn, rng), per_problem)]
        if len(drafts) < per_problem:
            # A result that no step of its own goes on from: it is gone on from as a foreign problem's is.
            further = ask_further(problem, per_problem - len(drafts), rng)
            drafts += [] if isinstance(further, str) else further
        return drafts if drafts or per_problem == 0 else self._decline(problem, "no_further_step")

    def _similar(self, problem: Problem, per_problem: int, seed: int) -> list[Draft] | Declined:
        if _is_held_out(problem):
            return self._decline(problem, "held_out_situation")
        drawn = _own(problem)
        rng = Random(f"{seed}:{problem.id}:similar")
        if drawn is None:
            alike = _like_foreign(problem, per_problem, rng)
            return self._decline(problem, alike) if isinstance(alike, str) else alike
        drafts = _distinct(lambda: _redraw(drawn, rng), problem.question, per_problem)
        return drafts if drafts or per_problem == 0 else self._decline(problem, "no_other_numbers")


def _is_held_out(problem: Problem) -> bool:
    situation = SITUATIONS.get(str(problem.extra.get("situation")))
    return situation is not None and situation.held_out


def _own(problem: Problem) -> Drawn | None:
    """Return what a problem was told from; None for foreign ones, even where they carry the fields of an own parent."""
    drawn = read_drawn(problem.extra)
    return drawn if drawn is not None and tell(drawn).question == problem.question else None


def _harder(drawn: Drawn, rng: Random) -> Iterator[Drawn]:
    """Let each step that fits follow, mostly first those that others can go on from: the loop comes back for more."""
    steps = fitting_steps(drawn, rng)
    if rng.random() < _LEADS_ON:
        steps.sort(key=lambda step: step.result == END)
    yield from (more for step in steps if (more := add_step(drawn, step, rng)))


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
    """Draw a problem with the same operations, of another situation where there is one."""
    plan = plan_of(drawn)
    others = [other for other in plans_for(plan_graph(plan)) if other.situation.name != plan.situation.name]
    return _tell_plan(rng.choice(others) if others else plan, rng)


def _like_foreign(problem: Problem, count: int, rng: Random) -> list[Draft] | str:
    """Write problems like a foreign one, by turns of a situation with its operations and with other numbers.

    Chance says which comes first: where one is wanted of each problem, both ways shall come about.
    """
    renumbered = renumber(problem, count, rng)
    plans = _plans_like(problem)
    retold = _distinct(lambda: _tell_plan(rng.choice(plans), rng), problem.question, count) if plans else []
    if isinstance(renumbered, str):
        return retold or renumbered
    first, second = (retold, renumbered) if rng.random() < _RETOLD_FIRST else (renumbered, retold)
    return [draft for pair in zip_longest(first, second) for draft in pair if draft is not None][:count]


def _plans_like(problem: Problem) -> Sequence[Plan]:
    try:
        return plans_for(operation_graph(problem.program or ""))
    except (SyntaxError, NotPlainError):
        return ()


def _tell_plan(plan: Plan, rng: Random) -> Draft | None:
    fresh = draw_plan(plan, rng)
    return None if fresh is None else tell(fresh)
