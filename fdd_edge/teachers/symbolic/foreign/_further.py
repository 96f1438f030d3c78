"""Lets a further step follow a problem of another source: what it asked becomes given, and one thing more is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

from fdd_edge.ondevice.language import ProgramError, normalize, run_program
from fdd_edge.records import Problem, same_answer
from fdd_edge.teachers._protocol import Draft
from fdd_edge.teachers.symbolic._numbers import draw_numbers
from fdd_edge.teachers.symbolic._situation import Step
from fdd_edge.teachers.symbolic._words import draw_people, fill, word_forms
from fdd_edge.teachers.symbolic.foreign._given import Given, as_given
from fdd_edge.teachers.symbolic.steps import STEPS

__all__ = ["ask_further"]

_KIND = "number"


def ask_further(problem: Problem, count: int, rng: Random) -> list[Draft] | str:
    """Write up to ``count`` problems that go on from a given one, each with another step, or say why there are none."""
    if problem.program is None:
        return "no_program"
    given = as_given(problem.question)
    if given is None:
        return "question_not_understood"
    try:
        if not same_answer(run_program(problem.program), problem.answer):
            return "program_gives_other_answer"
    except ProgramError:
        return "program_does_not_run"
    steps = [step for step in STEPS.values() if _KIND in step.of]
    drafts: list[Draft] = []
    for draft in _drafts(problem, given, rng.sample(steps, len(steps)), rng):
        if len(drafts) == count:
            break
        drafts.append(draft)
    return drafts or "no_sane_numbers"


def _drafts(problem: Problem, given: Given, steps: list[Step], rng: Random) -> Iterator[Draft]:
    assert problem.program is not None
    before = _free_name(problem.program)
    told = re.sub(r"\banswer\b", before, problem.program)
    names = re.findall(r"\b[A-Z][a-z]+\b", problem.question)
    for step in steps:
        slots = {"pal": draw_people(rng, 1, names)[0]}
        forms = word_forms(slots) | {"phrase": given.phrase, "noun": given.noun}
        lines = [
            line.format_map(forms | {slot: slot for slot in step.numbers} | {"prev": "prev"}) for line in step.program
        ]
        numbers = draw_numbers(
            step.numbers, lines, rng, where=step.where, decimals=step.decimals, known={"prev": problem.answer}
        )
        if numbers is None:
            continue
        forms |= numbers | {"prev": before}
        lines = [line.format_map(forms) for line in step.program]
        lines[-1] = "answer =" + lines[-1].partition("=")[2]
        program = normalize("\n".join([told, *lines]))
        answer = run_program(program)
        sentences = [given.text, fill(rng.choice(step.tell), forms), fill(rng.choice(step.ask), forms)]
        yield Draft(
            " ".join(sentences),
            program,
            int(answer) if float(answer).is_integer() else round(answer, 6),
            {"further": step.name},
        )


def _free_name(program: str) -> str:
    return next(
        name for name in ("first_answer", "result_before", "asked_before") if not re.search(rf"\b{name}\b", program)
    )
