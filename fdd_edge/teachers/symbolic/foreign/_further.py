"""Adds a further step to a problem of another source: its question becomes a given, and one more thing is asked."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from itertools import islice
from random import Random

from fdd_edge.ondevice.language import ProgramError, normalize, run_program
from fdd_edge.records import Problem, same_answer
from fdd_edge.teachers._interface import Draft
from fdd_edge.teachers.symbolic._drawing import decimals_of
from fdd_edge.teachers.symbolic._numbers import draw_numbers, tidy
from fdd_edge.teachers.symbolic._rendering import free_name, write_lines
from fdd_edge.teachers.symbolic._situation import Slots, Step
from fdd_edge.teachers.symbolic._words import draw_people, fill, word_forms
from fdd_edge.teachers.symbolic.foreign._given import Given, as_given
from fdd_edge.teachers.symbolic.foreign._step_note import read_note, write_note
from fdd_edge.teachers.symbolic.steps import MEASURES, STEPS, TIMES, amount_forms, kinds_of

__all__ = ["ask_further"]

_FOLDED = 0.4
"""Share of problems whose last sentence becomes a condition in the question."""
_ATTEMPTS = 20
_PRONOUNS = (("he", "his", "him"), ("she", "her", "hers"))
_FOLDS = re.compile(r"(?:The|These|Each|Another|An?|Half|All|His|Her|Their|It)\b|\d|\$")
"""Starts of sentences that can follow an "If"."""
_SEVERAL = re.compile(r"\b(?:people|children)\b")


def ask_further(problem: Problem, count: int, rng: Random) -> list[Draft] | str:
    """Write up to ``count`` problems that continue a given one, each by a different step, or return why not.

    Steps fit the kind of amount that the problem asks for; steps that fit any number come last.
    """
    if problem.program is None:
        return "no_program"
    given = read_note(problem) or as_given(problem.question)
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
    kinds |= ({"an action"} if given.action else set()) | ({"a period"} if given.period else set())
    steps = [step for step in STEPS.values() if step.of & kinds and step.name not in given.done]
    return sorted(rng.sample(steps, len(steps)), key=lambda step: step.of <= {"number"})


def _drafts(problem: Problem, given: Given, steps: list[Step], rng: Random) -> Iterator[Draft]:
    assert problem.program is not None
    taken = {*re.findall(r"[A-Za-z_]\w*", problem.program), *keyword.kwlist}
    before = free_name(given.name or re.sub(r"\W+", "_", given.noun.lower()), taken)
    program_before = re.sub(r"\banswer\b", before, problem.program)
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
        texts = [text for text in step.tell if not _captures(text, given.phrase)]
        if numbers is None or not texts:
            continue
        forms |= numbers
        lines = write_lines(step, forms, before, {*taken, before})
        name, _, value = lines[-1].partition(" = ")
        program = normalize("\n".join([program_before, *lines[:-1], f"answer = {value}"]))
        answer = run_program(program)
        if answer != tidy(answer):
            # Floats cannot represent the answer; no program may contain 55.00000000000001.
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
        question = _join(given.text, fill(rng.choice(texts), forms), ask, str(forms.get("pal", "")), rng)
        yield Draft(question, program, tidy(answer), write_note(step.name, ask, after))


def _forms(problem: Problem, given: Given, rng: Random) -> Slots:
    """Return the slots of a step: the previous amount and, if possible, a new person and what that person does."""
    forms: Slots = {**amount_forms(given.phrase, given.noun), "period": given.period}
    forms["periods"] = f"{given.period}s"
    pal = _draw_pal(problem.question, given, rng)
    if pal is None:
        return forms
    forms |= word_forms({"pal": pal})
    action = given.action
    if action is not None:
        forms |= {"clause": action.clause, "does": action.verb, "do": action.plain, "aux": action.auxiliary}
        forms |= {"amount": action.amount, "many": action.many}
        forms["half"], _, what = action.many.partition(" ")
        if given.noun == "dollars":
            forms |= {"more": " dollars more", "less": " dollars less"}
        else:
            fewer = "less" if given.noun in MEASURES | TIMES else "fewer"
            forms |= {"more": f" more {what}", "less": f" {what} less" if fewer == "less" else f" fewer {what}"}
    return forms


def _draw_pal(question: str, given: Given, rng: Random) -> str | None:
    """Draw a person whom no pronoun of the question could refer to; None if there is none."""
    text = f"{given.phrase} {given.action.clause if given.action else ''}".lower()
    taken = re.findall(r"\b[A-Z][a-z]+\b", question)
    pronouns = {form for forms in _PRONOUNS for form in forms if re.search(rf"\b{form}\b", text)}
    for _ in range(_ATTEMPTS):
        pal = next(iter(draw_people(rng, 1, taken)), None)
        if pal is None:
            return None
        if not pronouns & set(_PRONOUNS[word_forms({"pal": pal})["pal_he"] == "she"]):
            return pal
    return None


def _captures(tell: str, phrase: str) -> bool:
    """Return whether a "they" in the phrase would refer to the people of the step's text instead."""
    before = re.split(r"{(?:those|phrase|some)}", tell)[0]
    return _SEVERAL.search(before) is not None and re.search(r"\b(?:they|their|them)\b", phrase) is not None


def _join(text: str, sentence: str, ask: str, pal: str, rng: Random) -> str:
    """Append a step's sentence and its question to the text, sometimes combined: "If ..., how many ...?"."""
    if rng.random() >= _FOLDED or not (_FOLDS.match(sentence) or (pal and sentence.startswith(pal))):
        return f"{text} {sentence} {ask}"
    condition = sentence if pal and sentence.startswith(pal) else sentence[0].lower() + sentence[1:]
    return f"{text} If {condition.removesuffix('.')}, {ask[0].lower()}{ask[1:]}"
