"""Finds situations and further steps that have a given operation graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from random import Random
from typing import NamedTuple

from fdd_edge.ondevice.language import count_operations
from fdd_edge.teachers.symbolic._drawing import add_step, draw_situation
from fdd_edge.teachers.symbolic._operation_graph import PREVIOUS, Graph, operation_graph, substitute
from fdd_edge.teachers.symbolic._rendering import Drawn
from fdd_edge.teachers.symbolic._situation import Situation, Step
from fdd_edge.teachers.symbolic._words import ROLES
from fdd_edge.teachers.symbolic.situations import SITUATIONS
from fdd_edge.teachers.symbolic.steps import STEPS, kinds_of

__all__ = ["Plan", "draw_plan", "operations_of", "plan_graph", "plan_of", "plans_for"]

_MOST_STEPS = 3


class Plan(NamedTuple):
    """A situation and the steps that follow it."""

    situation: Situation
    steps: tuple[Step, ...] = ()


def plan_of(drawn: Drawn) -> Plan:
    """Return the plan of a problem: its situation and steps, without numbers and words."""
    return Plan(drawn.situation, tuple(drawn_step.step for drawn_step in drawn.steps))


def plans_for(graph: Graph) -> Sequence[Plan]:
    """Return the plans of training situations with this graph and at most three steps."""
    return _index().get(graph, ())


def plan_graph(plan: Plan) -> Graph:
    """Return the operation graph of the problems of a plan."""
    graph = situation_graph(plan.situation)
    for step in plan.steps:
        graph = substitute(step_graph(step.name), graph)
    return graph


def draw_plan(plan: Plan, rng: Random) -> Drawn | None:
    """Draw a problem from a plan; None if no sane numbers were found."""
    drawn = draw_situation(plan.situation, rng)
    for step in plan.steps:
        drawn = None if drawn is None else add_step(drawn, step, rng)
    return drawn


def operations_of(situation: Situation) -> int:
    """Return the number of operations of a situation without further steps."""
    return count_operations(_text_of_situation(situation))


def situation_graph(situation: Situation) -> Graph:
    """Return the operation graph of a situation."""
    return operation_graph(_text_of_situation(situation))


@cache
def step_graph(name: str) -> Graph:
    """Return the operation graph of a step; the result before it is ``PREVIOUS``."""
    step = STEPS[name]
    return operation_graph(_text(step.program, _placeholders(step.numbers, {})), PREVIOUS)


def _text_of_situation(situation: Situation) -> str:
    return _text(situation.program, _placeholders(situation.numbers, situation.words))


def _text(lines: Sequence[str], forms: Mapping[str, str]) -> str:
    return "\n".join(line.format_map(_Named(forms)) for line in lines)


def _placeholders(numbers: Mapping[str, str], words: Mapping[str, object]) -> dict[str, str]:
    return dict.fromkeys(numbers, "1") | {"prev": PREVIOUS} | {slot: slot for slot in (*words, *ROLES)}


class _Named(dict[str, str]):
    """Fills every slot without a value with its own name."""

    def __missing__(self, key: str) -> str:
        return key


@cache
def _index() -> Mapping[Graph, Sequence[Plan]]:
    plans: dict[Graph, list[Plan]] = defaultdict(list)
    grown = [(Plan(s), situation_graph(s)) for s in SITUATIONS.values() if not s.held_out]
    for _ in range(_MOST_STEPS + 1):
        for plan, graph in grown:
            plans[graph].append(plan)
        grown = [
            (Plan(plan.situation, (*plan.steps, step)), substitute(step_graph(step.name), graph))
            for plan, graph in grown
            for step in _steps_after(plan)
        ]
    return plans


def _steps_after(plan: Plan) -> list[Step]:
    """Return the steps that may follow a plan; steps that fit any number only if there are no others."""
    result = (plan.steps[-1] if plan.steps else plan.situation).result
    *own, last = kinds_of(result.kind, result.phrase, result.noun)
    kinds = set(own) or {last}
    return [step for step in STEPS.values() if step.of & kinds and step not in plan.steps]
