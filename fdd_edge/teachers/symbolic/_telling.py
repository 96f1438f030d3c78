"""Tells a drawn situation with its further steps: the text that asks one thing, its program and its answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from random import Random
from typing import Any, Literal, NamedTuple

from fdd_edge.ondevice.language import ProgramError, normalize, run_program
from fdd_edge.teachers._interface import Draft
from fdd_edge.teachers.symbolic._numbers import draw_numbers, tidy
from fdd_edge.teachers.symbolic._operation_graph import PREVIOUS
from fdd_edge.teachers.symbolic._situation import Number, Result, Situation, Slots, Step
from fdd_edge.teachers.symbolic._words import ROLES, draw_people, fill, fold, people_in, word_forms
from fdd_edge.teachers.symbolic.situations import SITUATIONS
from fdd_edge.teachers.symbolic.steps import MEASURES, STEPS, TIMES, amount_forms, kinds_of

__all__ = [
    "Drawn", "DrawnStep", "Style", "add_step", "decimals_of", "draw_situation", "fitting_steps", "free_name",
    "read_drawn", "tell", "write_lines",
]  # fmt: skip

_SPELLED, _FOLDED, _ASIDE = 0.25, 0.25, 0.4
"""Shares of problems with number words, with a condition in the question, and (where there is one) with a number that
the answer does not need."""

_SLOT = re.compile(r"{(\w+)")
_STANDS_ALONE = re.compile(r"{(?:name|friend|third)}(?!.*(?:\b(?:them|it|left)\b|{he|{his|{him)).*")
"""An aside about somebody, which goes back to nothing: it may come before all else."""


class Aside(NamedTuple):
    """A sentence that the answer does not need: which one, its number, and where it stands."""

    which: int
    number: int
    place: Literal["first", "last"]


class Style(NamedTuple):
    """How a problem is told, besides its wording."""

    spell: bool = False
    fold: bool = False
    aside: Aside | None = None


@dataclass(frozen=True)
class DrawnStep:
    """A further step with its slots and the phrasing chosen."""

    step: Step
    slots: Slots
    form: tuple[int, int]


@dataclass(frozen=True)
class Drawn:
    """A situation with its slots, the phrasing chosen, and the steps that follow."""

    situation: Situation
    slots: Slots
    form: tuple[int, int]
    steps: tuple[DrawnStep, ...] = ()
    style: Style = field(default_factory=Style)

    def to_extra(self) -> dict[str, Any]:
        """Return what a problem keeps, so that `read_drawn` can build this again; plain JSON."""
        extra: dict[str, Any] = {"situation": self.situation.name, "slots": self.slots, "form": list(self.form)}
        if self.steps:
            extra["steps"] = [{"step": s.step.name, "slots": s.slots, "form": list(s.form)} for s in self.steps]
        aside = self.style.aside
        chosen = {"spell": self.style.spell, "fold": self.style.fold, "aside": list(aside) if aside else None}
        if any(chosen.values()):
            extra["style"] = {key: value for key, value in chosen.items() if value}
        if aside:
            extra["distractors"] = [aside.number]
        return extra


def read_drawn(extra: Mapping[str, Any]) -> Drawn | None:
    """Build what a problem was told from; None where it is none of ours."""
    try:
        steps = tuple(
            DrawnStep(STEPS[row["step"]], dict(row["slots"]), _form(row["form"])) for row in extra.get("steps", ())
        )
        style = dict(extra.get("style", {}))
        aside = Aside(*style["aside"]) if "aside" in style else None
        drawn = Drawn(
            SITUATIONS[extra["situation"]],
            dict(extra["slots"]),
            _form(extra["form"]),
            steps,
            Style(bool(style.get("spell")), bool(style.get("fold")), aside),
        )
        tell(drawn)
    except (KeyError, IndexError, TypeError, ValueError, ProgramError):
        return None
    return drawn


def _form(pair: Any) -> tuple[int, int]:
    body, ask = pair
    return int(body), int(ask)


def draw_situation(situation: Situation, rng: Random) -> Drawn | None:
    """Draw people, words, numbers, phrasing and style of a situation; None where no sane numbers came up."""
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
    """Return the pairs of body and question in which the question names nobody that the body does not."""
    return [
        (body, ask)
        for body, told in enumerate(situation.tell)
        for ask, asked in enumerate(situation.ask)
        if people_in(asked) <= people_in(told)
    ]


def _draw_style(situation: Situation, numbers: Mapping[str, Number], rng: Random) -> Style:
    aside = None
    if situation.aside and rng.random() < _ASIDE:
        index = rng.randrange(len(situation.aside))
        number = rng.choice([n for n in range(5, 13) if not _computes_with(n, situation.program, numbers)])
        first = _STANDS_ALONE.fullmatch(situation.aside[index]) is not None and rng.random() < 0.5
        aside = Aside(index, number, "first" if first else "last")
    return Style(rng.random() < _SPELLED, rng.random() < _FOLDED, aside)


def _computes_with(number: int, program: Sequence[str], slots: Mapping[str, Any]) -> bool:
    """Say whether a program's lines hold a number, themselves or in a slot: an aside must not tell the same."""
    return number in slots.values() or re.search(rf"\b{number}\b", " ".join(program)) is not None


def fitting_steps(drawn: Drawn, rng: Random) -> list[Step]:
    """Return the steps that may follow, in an order of chance, but those for any number come last."""
    kinds = _kinds_after(drawn)
    fitting = [step for step in STEPS.values() if step.of & set(kinds)]
    return sorted(rng.sample(fitting, len(fitting)), key=lambda step: step.of <= {"number"})


def _kinds_after(drawn: Drawn) -> tuple[str, ...]:
    """Return what kinds of step the last result may have."""
    forms, result = word_forms(drawn.slots), drawn.situation.result
    for told in drawn.steps:
        forms, result = _forms_of_step(forms, told, result), told.step.result
    return kinds_of(result.kind, result.phrase.format_map(forms), result.noun.format_map(forms))


def decimals_of(step: Step, noun: str) -> int:
    """Return how many decimals a step's results may have: things that are counted stay whole."""
    return (
        step.decimals if not step.of & {"number", "a deed"} or noun in MEASURES | TIMES | {"dollars", "degrees"} else 0
    )


def add_step(drawn: Drawn, step: Step, rng: Random) -> Drawn | None:
    """Let a step follow; None where it does not fit the result, or no sane numbers exist."""
    result = drawn.steps[-1].step.result if drawn.steps else drawn.situation.result
    if not step.of & set(_kinds_after(drawn)) or any(s.step.name == step.name for s in drawn.steps):
        return None
    slots: Slots = {}
    named = people_in(" ".join([*step.tell, *step.ask, *([] if drawn.steps else [result.who])]))
    if not named <= people_in(drawn.situation.tell[drawn.form[0]]) | {"pal"}:
        # It would speak of somebody whom this wording does not name.
        return None
    if "pal" in named:
        people = [str(s[role]) for s in _all_slots(drawn) for role in ROLES if role in s]
        slots["pal"] = draw_people(rng, 1, people)[0]
    before = tell(drawn)
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
    """Say whether every number is still told when a situation's own question makes room for a further step's text."""
    situation = drawn.situation
    phrase = situation.result.phrase if re.search("{(?:phrase|those|some)}", further) else ""
    told = set(_SLOT.findall(situation.tell[drawn.form[0]] + phrase))
    return told >= set(situation.numbers) & set(_SLOT.findall(" ".join(situation.program)))


def _all_slots(drawn: Drawn) -> list[Slots]:
    return [drawn.slots, *(step.slots for step in drawn.steps)]


def _linked_forms(drawn: Drawn, slots: Slots, result: Result) -> dict[str, Any]:
    """Return the forms a step's program is written with."""
    forms: dict[str, Any] = {}
    for some in (*_all_slots(drawn), slots):
        forms |= word_forms(some)
    return forms | {"phrase": result.phrase, "who": result.who, "noun": result.noun}


def tell(drawn: Drawn) -> Draft:
    """Write the question, the program and the answer; of several steps only the last is asked."""
    situation, style = drawn.situation, drawn.style
    forms = word_forms(drawn.slots)
    sentences = [fill(situation.tell[drawn.form[0]], forms, spell=style.spell)]
    if style.aside:
        aside = fill(situation.aside[style.aside.which], forms | {"x": style.aside.number}, spell=style.spell)
        sentences.insert(0 if style.aside.place == "first" else 1, aside)
    ask = fill(situation.ask[drawn.form[1]], forms, spell=style.spell)
    lines = [line.format_map(forms) for line in situation.program]
    result = situation.result
    for told in drawn.steps:
        forms = _forms_of_step(forms, told, result)
        sentences.append(fill(told.step.tell[told.form[0]], forms, spell=style.spell))
        ask = fill(told.step.ask[told.form[1]], forms, spell=style.spell)
        before, taken = lines[-1].partition("=")[0].strip(), {line.partition("=")[0].strip() for line in lines}
        lines += write_lines(told.step, forms, before, taken)
        result = told.step.result
    program = normalize("\n".join([*lines[:-1], "answer =" + lines[-1].partition("=")[2]]))
    told_text = " ".join(sentences)
    folds = style.fold and not (style.aside and style.aside.place == "last" and not drawn.steps)
    question = (fold(told_text, ask) if folds else None) or f"{told_text} {ask}"
    return Draft(question, program, tidy(run_program(program)), drawn.to_extra())


def _forms_of_step(forms: Mapping[str, Any], told: DrawnStep, before: Result) -> dict[str, Any]:
    """Link a step to the result before it: what it is called, and who holds it."""
    role = before.who.strip("{}")
    prefix = "" if role == "name" else f"{role}_"
    linked = {
        "who": before.who.format_map(forms),
        "who_he": forms.get(f"{prefix}he", "they"),
        "who_his": forms.get(f"{prefix}his", "their"),
    }
    amount = amount_forms(before.phrase.format_map(forms), before.noun.format_map(forms) or forms.get("noun", ""))
    return {**forms, **word_forms(told.slots), **linked, **amount}


def write_lines(step: Step, forms: Mapping[str, Any], before: str, names: Collection[str]) -> list[str]:
    """Write a step's assignments after the variable ``before``; a name that is taken is numbered."""
    taken = {*names}
    renamed: dict[str, str] = {}
    lines = []
    for template in step.program:
        name, _, value = template.format_map({**forms, "prev": PREVIOUS}).partition(" = ")
        value = re.sub(r"[a-z_]\w*", lambda word: renamed.get(word.group(), word.group()), value)
        renamed[name] = free_name(name, taken)
        taken.add(renamed[name])
        lines.append(f"{renamed[name]} = {value.replace(PREVIOUS, before)}")
    return lines


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name, numbered where it is taken."""
    return next(free for free in chain([name], (f"{name}_{n}" for n in count(2))) if free not in taken)
