"""Lets a further step follow a problem of another source: what it asked becomes given, and one thing more is asked."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Any

from fdd_edge.ondevice.language import ProgramError, normalize, run_program
from fdd_edge.records import Problem, same_answer
from fdd_edge.teachers._interface import Draft
from fdd_edge.teachers.symbolic._numbers import draw_numbers, tidy
from fdd_edge.teachers.symbolic._situation import Step
from fdd_edge.teachers.symbolic._telling import decimals_of, free_name, write_lines
from fdd_edge.teachers.symbolic._words import draw_people, fill, word_forms
from fdd_edge.teachers.symbolic.foreign._asked import read_asked, write_asked
from fdd_edge.teachers.symbolic.foreign._given import Given, as_given
from fdd_edge.teachers.symbolic.steps import MEASURES, STEPS, TIMES, amount_forms, kinds_of

__all__ = ["ask_further"]

_FOLDED = 0.4
"""Share of problems whose last sentence becomes a condition in the question."""
_ATTEMPTS = 20
_PRONOUNS = (("he", "his", "him"), ("she", "her", "hers"))
_FOLDS = re.compile(r"(?:The|These|Each|Another|An?|Half|All|His|Her|Their|It)\b|\d|\$")
"""How a sentence begins that can follow an "If"."""
_SEVERAL = re.compile(r"\b(?:people|children)\b")


def ask_further(problem: Problem, count: int, rng: Random) -> list[Draft] | str:
    """Write up to ``count`` problems that go on from a given one, each with another step, or say why there are none.

    A step is one for the kind of amount that was asked for; those for any number come last.
    """
    if problem.program is None:
        return "no_program"
    given = read_asked(problem) or as_given(problem.question)
    if given is None:
        return "question_not_understood"
    try:
        if not same_answer(run_program(problem.program), problem.answer):
            return "program_gives_other_answer"
    except ProgramError:
        return "program_does_not_run"
    drafts = _drafts(problem, given, _steps_after(given, rng), rng)
    return list(islice(drafts, count)) or "no_sane_numbers"


def _steps_after(given: Given, rng: Random) -> list[Step]:
    kinds = {*kinds_of(given.kind, given.phrase, given.noun)}
    kinds |= ({"a deed"} if given.deed else set()) | ({"a period"} if given.period else set())
    steps = [step for step in STEPS.values() if step.of & kinds and step.name not in given.done]
    return sorted(rng.sample(steps, len(steps)), key=lambda step: step.of <= {"number"})


def _drafts(problem: Problem, given: Given, steps: list[Step], rng: Random) -> Iterator[Draft]:
    assert problem.program is not None
    taken = {*re.findall(r"[A-Za-z_]\w*", problem.program), *keyword.kwlist}
    before = free_name(given.name or re.sub(r"\W+", "_", given.noun.lower()), taken)
    told = re.sub(r"\banswer\b", before, problem.program)
    for step in steps:
        forms = _forms(problem, given, rng)
        if "pal" not in forms and "{pal" in " ".join([*step.tell, *step.program]):
            continue
        rules = [line.format_map(forms | {s: s for s in step.numbers} | {"prev": "prev"}) for line in step.program]
        numbers = draw_numbers(
            step.numbers,
            rules,
            rng,
            where=step.where,
            decimals=decimals_of(step, given.noun),
            known={"prev": problem.answer},
        )
        told_by = [text for text in step.tell if not _captures(text, given.phrase)]
        if numbers is None or not told_by:
            continue
        forms |= numbers
        lines = write_lines(step, forms, before, {*taken, before})
        name, _, value = lines[-1].partition(" = ")
        program = normalize("\n".join([told, *lines[:-1], f"answer = {value}"]))
        answer = run_program(program)
        if answer != tidy(answer):
            # What floats cannot hold: no program shall show 55.00000000000001.
            continue
        ask = fill(rng.choice(step.ask), forms)
        after = Given(
            "",
            step.result.phrase.format_map(forms),
            step.result.noun.format_map(forms),
            step.result.kind,
            name=name,
            done=(*given.done, step.name),
        )
        question = _join(given.text, fill(rng.choice(told_by), forms), ask, str(forms.get("pal", "")), rng)
        yield Draft(question, program, tidy(answer), write_asked(step.name, ask, after))


def _forms(problem: Problem, given: Given, rng: Random) -> dict[str, Any]:
    """Return the slots of a step: the amount before, a person if one may be named, and what that person does."""
    forms: dict[str, Any] = {**amount_forms(given.phrase, given.noun), "period": given.period}
    forms["periods"] = f"{given.period}s"
    pal = _draw_pal(problem.question, given, rng)
    if pal is None:
        return forms
    forms |= word_forms({"pal": pal})
    deed = given.deed
    if deed is not None:
        forms |= {"clause": deed.clause, "does": deed.verb, "do": deed.plain, "aux": deed.auxiliary}
        forms |= {"amount": deed.amount, "many": deed.many}
        forms["half"], _, what = deed.many.partition(" ")
        if given.noun == "dollars":
            forms |= {"more": " dollars more", "less": " dollars less"}
        else:
            fewer = "less" if given.noun in MEASURES | TIMES else "fewer"
            forms |= {"more": f" more {what}", "less": f" {what} less" if fewer == "less" else f" fewer {what}"}
    return forms


def _draw_pal(question: str, given: Given, rng: Random) -> str | None:
    """Draw somebody whom no pronoun of what was asked could mean; None where it has pronouns of all."""
    text = f"{given.phrase} {given.deed.clause if given.deed else ''}".lower()
    taken = re.findall(r"\b[A-Z][a-z]+\b", question)
    spoken_of = {form for forms in _PRONOUNS for form in forms if re.search(rf"\b{form}\b", text)}
    for _ in range(_ATTEMPTS):
        pal = next(iter(draw_people(rng, 1, taken)), None)
        if pal is None:
            return None
        if not spoken_of & set(_PRONOUNS[word_forms({"pal": pal})["pal_he"] == "she"]):
            return pal
    return None


def _captures(tell: str, phrase: str) -> bool:
    """Say whether the people of a step's text come before a "they" that meant others."""
    before = re.split(r"{(?:those|phrase|some)}", tell)[0]
    return _SEVERAL.search(before) is not None and re.search(r"\b(?:they|their|them)\b", phrase) is not None


def _join(told: str, sentence: str, ask: str, pal: str, rng: Random) -> str:
    """Put a step's sentence and its question after what is told, some in one: "If ..., how many ...?"."""
    if rng.random() >= _FOLDED or not (_FOLDS.match(sentence) or (pal and sentence.startswith(pal))):
        return f"{told} {sentence} {ask}"
    condition = sentence if pal and sentence.startswith(pal) else sentence[0].lower() + sentence[1:]
    return f"{told} If {condition.removesuffix('.')}, {ask[0].lower()}{ask[1:]}"
