"""The built-in teacher: it writes from situations, needs no model, and its answers are correct by construction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, zip_longest
from random import Random

from fdd_edge.records import Problem
from fdd_edge.teachers._interface import Declined, Draft
from fdd_edge.teachers.symbolic._drawing import add_step, fitting_steps
from fdd_edge.teachers.symbolic._operation_graph import NotPlainError, operation_graph
from fdd_edge.teachers.symbolic._plans import Plan, draw_plan, plan_graph, plan_of, plans_for
from fdd_edge.teachers.symbolic._rendering import Drawn, read_drawn, render
from fdd_edge.teachers.symbolic._situation import END
from fdd_edge.teachers.symbolic.foreign import ask_further, renumber
from fdd_edge.teachers.symbolic.situations import SITUATIONS

__all__ = ["SymbolicTeacher"]

_ATTEMPTS = 60
_SITUATION_FIRST = 0.7
"""Share of foreign problems for which a situation is tried first, and new numbers second."""
_EXTENDABLE_FIRST = 0.9
"""Share of own problems for which steps that no other step can follow are tried last."""


class SymbolicTeacher:
    """Evolves its own problems, and problems of other sources (foreign problems) that have a program."""

    name = "symbolic"
    writes_problems = True

    async def rationale(self, problems: Sequence[Problem]) -> list[str | Declined]:
        """Return the program of each own problem; foreign problems are declined."""
        return [self._rationale(problem) for problem in problems]

    async def complexify(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Add a further step and ask for its result instead; each draft gets a different step."""
        return [self._complexify(problem, per_problem, seed) for problem in problems]

    async def similar(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Write problems with the same operations, from a situation or, for foreign problems, with new numbers."""
        return [self._similar(problem, per_problem, seed) for problem in problems]

    def _decline(self, problem: Problem, reason: str) -> Declined:
        return Declined(problem.id, self.name, reason)

    def _rationale(self, problem: Problem) -> str | Declined:
        drawn = _own(problem)
        if drawn is None:
            return self._decline(problem, "unknown_situation")
        return problem.program or render(drawn).program

    def _complexify(self, problem: Problem, per_problem: int, seed: int) -> list[Draft] | Declined:
        if _is_held_out(problem):
            return self._decline(problem, "held_out_situation")
        drawn = _own(problem)
        rng = Random(f"{seed}:{problem.id}:complex")
        if drawn is None:
            further = ask_further(problem, per_problem, rng)
            return self._decline(problem, further) if isinstance(further, str) else further
        drafts = [render(more) for more in islice(_harder(drawn, rng), per_problem)]
        if len(drafts) < per_problem:
            # No own step can follow this result, so it is extended like a foreign problem.
            further = ask_further(problem, per_problem - len(drafts), rng)
            drafts += [] if isinstance(further, str) else further
        return drafts if drafts or per_problem == 0 else self._decline(problem, "no_further_step")

    def _similar(self, problem: Problem, per_problem: int, seed: int) -> list[Draft] | Declined:
        if _is_held_out(problem):
            return self._decline(problem, "held_out_situation")
        drawn = _own(problem)
        rng = Random(f"{seed}:{problem.id}:similar")
        if drawn is None:
            drafts_or_reason = _like_foreign(problem, per_problem, rng)
            if isinstance(drafts_or_reason, str):
                return self._decline(problem, drafts_or_reason)
            return drafts_or_reason
        drafts = _distinct(lambda: _redraw(drawn, rng), problem.question, per_problem)
        return drafts if drafts or per_problem == 0 else self._decline(problem, "no_other_numbers")


def _is_held_out(problem: Problem) -> bool:
    situation = SITUATIONS.get(str(problem.teacher_notes.get("situation")))
    return situation is not None and situation.held_out


def _own(problem: Problem) -> Drawn | None:
    """Return what a problem was rendered from; None for foreign ones, even if they have the fields of an own parent."""
    drawn = read_drawn(problem.teacher_notes)
    return drawn if drawn is not None and render(drawn).question == problem.question else None


def _harder(drawn: Drawn, rng: Random) -> Iterator[Drawn]:
    """Yield the problem with each fitting step; usually first those that can be extended again in a later round."""
    steps = fitting_steps(drawn, rng)
    if rng.random() < _EXTENDABLE_FIRST:
        steps.sort(key=lambda step: step.result == END)
    yield from (more for step in steps if (more := add_step(drawn, step, rng)))


def _distinct(draw: Callable[[], Draft | None], question: str, count: int) -> list[Draft]:
    """Draw until there are ``count`` drafts that differ from each other and from the given question."""
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
    """Draw a problem with the same operations, from another situation if possible."""
    plan = plan_of(drawn)
    others = [other for other in plans_for(plan_graph(plan)) if other.situation.name != plan.situation.name]
    return _render_plan(rng.choice(others) if others else plan, rng)


def _like_foreign(problem: Problem, count: int, rng: Random) -> list[Draft] | str:
    """Write problems similar to a foreign one, alternately from a situation with its operations and with new numbers.

    Which comes first is random, so that both ways occur even if one draft per problem is requested.
    """
    renumbered = renumber(problem, count, rng)
    plans = _plans_like(problem)
    from_situation = _distinct(lambda: _render_plan(rng.choice(plans), rng), problem.question, count) if plans else []
    if isinstance(renumbered, str):
        return from_situation or renumbered
    situation_first = rng.random() < _SITUATION_FIRST
    first, second = (from_situation, renumbered) if situation_first else (renumbered, from_situation)
    return [draft for pair in zip_longest(first, second) for draft in pair if draft is not None][:count]


def _plans_like(problem: Problem) -> Sequence[Plan]:
    try:
        return plans_for(operation_graph(problem.program or ""))
    except (SyntaxError, NotPlainError):
        return ()


def _render_plan(plan: Plan, rng: Random) -> Draft | None:
    fresh = draw_plan(plan, rng)
    return None if fresh is None else render(fresh)
