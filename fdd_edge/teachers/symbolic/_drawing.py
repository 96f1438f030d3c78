"""Draws a situation and its further steps: people, words, numbers and phrasing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random

from fdd_edge.teachers.symbolic._numbers import draw_numbers
from fdd_edge.teachers.symbolic._rendering import Aside, Drawn, DrawnStep, Style, forms_of_step, render
from fdd_edge.teachers.symbolic._situation import Forms, Number, Result, Situation, Slots, Step
from fdd_edge.teachers.symbolic._words import ROLES, draw_people, people_in, word_forms
from fdd_edge.teachers.symbolic.steps import MEASURES, STEPS, TIMES, kinds_of

__all__ = ["add_step", "decimals_of", "draw_situation", "fitting_steps"]

_SPELLED, _FOLDED, _ASIDE = 0.25, 0.25, 0.4
"""Shares of problems with number words, with a condition in the question, and (if the situation has an aside) with a
number that the answer does not need."""

_SLOT = re.compile(r"{(\w+)")
_STANDS_ALONE = re.compile(r"{(?:name|friend|third)}(?!.*(?:\b(?:them|it|left)\b|{he|{his|{him)).*")
"""An aside about somebody that refers to nothing before it, so that it may come first."""


def draw_situation(situation: Situation, rng: Random) -> Drawn | None:
    """Draw the people, words, numbers, wording and style of a situation; None if no sane numbers were found."""
    slots: Slots = dict(zip(ROLES, draw_people(rng, 3), strict=False))
    for slot, words in situation.words.items():
        slots[slot] = rng.choice([word for word in words if word not in slots.values()])
    forms = word_forms(slots) | {slot: slot for slot in situation.numbers}
    numbers = draw_numbers(
        situation.numbers,
        [line.format_map(forms) for line in situation.program],
        rng,
        where=situation.where,
        decimals=situation.decimals,
    )
    if numbers is None:
        return None
    form = rng.choice(_forms(situation))
    return Drawn(situation, {**slots, **numbers}, form, style=_draw_style(situation, numbers, rng))


def _forms(situation: Situation) -> list[tuple[int, int]]:
    """Return the (text, question) pairs whose question only names people that the text names."""
    return [
        (text_index, ask_index)
        for text_index, text in enumerate(situation.tell)
        for ask_index, ask in enumerate(situation.ask)
        if people_in(ask) <= people_in(text)
    ]


def _draw_style(situation: Situation, numbers: Mapping[str, Number], rng: Random) -> Style:
    aside = None
    if situation.aside and rng.random() < _ASIDE:
        index = rng.randrange(len(situation.aside))
        number = rng.choice([n for n in range(5, 13) if not _computes_with(n, situation.program, numbers)])
        first = _STANDS_ALONE.fullmatch(situation.aside[index]) is not None and rng.random() < 0.5
        aside = Aside(index, number, "first" if first else "last")
    return Style(rng.random() < _SPELLED, rng.random() < _FOLDED, aside)


def _computes_with(number: int, program: Sequence[str], slots: Forms) -> bool:
    """Return whether a program contains a number, literally or in a slot: an aside must not mention the same number."""
    return number in slots.values() or re.search(rf"\b{number}\b", " ".join(program)) is not None


def fitting_steps(drawn: Drawn, rng: Random) -> list[Step]:
    """Return the steps that may follow, in random order, with the steps that fit any number last."""
    kinds = _kinds_after(drawn)
    fitting = [step for step in STEPS.values() if step.of & set(kinds)]
    return sorted(rng.sample(fitting, len(fitting)), key=lambda step: step.of <= {"number"})


def _kinds_after(drawn: Drawn) -> tuple[str, ...]:
    """Return the kinds of step that may follow the last result."""
    forms, result = word_forms(drawn.slots), drawn.situation.result
    for drawn_step in drawn.steps:
        forms, result = forms_of_step(forms, drawn_step, result), drawn_step.step.result
    return kinds_of(result.kind, result.phrase.format_map(forms), result.noun.format_map(forms))


def decimals_of(step: Step, noun: str) -> int:
    """Return how many decimals the results of a step may have: counts stay whole."""
    is_measured = noun in MEASURES | TIMES | {"dollars", "degrees"}
    return step.decimals if is_measured or not step.of & {"number", "an action"} else 0


def add_step(drawn: Drawn, step: Step, rng: Random) -> Drawn | None:
    """Return the problem with one more step; None if the step does not fit, or no sane numbers were found."""
    result = drawn.steps[-1].step.result if drawn.steps else drawn.situation.result
    if not step.of & set(_kinds_after(drawn)) or any(s.step.name == step.name for s in drawn.steps):
        return None
    slots: Slots = {}
    named = people_in(" ".join([*step.tell, *step.ask, *([] if drawn.steps else [result.who])]))
    if not named <= people_in(drawn.situation.tell[drawn.form[0]]) | {"pal"}:
        # The step mentions somebody whom this wording does not introduce.
        return None
    if "pal" in named:
        people = [str(s[role]) for s in _all_slots(drawn) for role in ROLES if role in s]
        slots["pal"] = draw_people(rng, 1, people)[0]
    before = render(drawn)
    forms = _linked_forms(drawn, slots, result) | {slot: slot for slot in step.numbers} | {"prev": "prev"}
    numbers = draw_numbers(
        step.numbers,
        [line.format_map(forms) for line in step.program],
        rng,
        where=step.where,
        decimals=decimals_of(step, result.noun),
        known={"prev": before.answer},
    )
    aside = drawn.style.aside
    if numbers is None or (aside and _computes_with(aside.number, step.program, numbers)):
        return None
    form = (rng.randrange(len(step.tell)), rng.randrange(len(step.ask)))
    if not drawn.steps and not _tells_all(drawn, step.tell[form[0]]):
        return None
    steps = (*drawn.steps, DrawnStep(step, {**slots, **numbers}, form))
    return Drawn(drawn.situation, drawn.slots, drawn.form, steps, drawn.style)


def _tells_all(drawn: Drawn, further: str) -> bool:
    """Return whether the text still contains every number once a further step replaces the situation's own question."""
    situation = drawn.situation
    phrase = situation.result.phrase if re.search("{(?:phrase|those|some)}", further) else ""
    mentioned = set(_SLOT.findall(situation.tell[drawn.form[0]] + phrase))
    return mentioned >= set(situation.numbers) & set(_SLOT.findall(" ".join(situation.program)))


def _all_slots(drawn: Drawn) -> list[Slots]:
    return [drawn.slots, *(step.slots for step in drawn.steps)]


def _linked_forms(drawn: Drawn, slots: Slots, result: Result) -> Slots:
    """Return the slots that a step's program is filled with."""
    forms: Slots = {}
    for some in (*_all_slots(drawn), slots):
        forms |= word_forms(some)
    return forms | {"phrase": result.phrase, "who": result.who, "noun": result.noun}
