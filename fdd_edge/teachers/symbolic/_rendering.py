"""Renders a drawn situation and its further steps as a question, a program and an answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any, Literal, NamedTuple

from fdd_edge.ondevice.language import ProgramError, normalize, run_program
from fdd_edge.runs.fingerprint import Json
from fdd_edge.teachers._interface import Draft
from fdd_edge.teachers.symbolic._numbers import tidy
from fdd_edge.teachers.symbolic._operation_graph import PREVIOUS
from fdd_edge.teachers.symbolic._situation import Forms, Result, Situation, Slots, Step
from fdd_edge.teachers.symbolic._words import fill, fold, word_forms
from fdd_edge.teachers.symbolic.situations import SITUATIONS
from fdd_edge.teachers.symbolic.steps import STEPS, amount_forms

__all__ = [
    "Aside", "Drawn", "DrawnStep", "Style", "forms_of_step", "free_name", "read_drawn", "render", "write_lines",
]  # fmt: skip


class Aside(NamedTuple):
    """A sentence that the answer does not need: its index in the situation, its number, and its place in the text."""

    which: int
    number: int
    place: Literal["first", "last"]


class Style(NamedTuple):
    """Variations of the text besides its wording: number words, a condition in the question, an aside."""

    spell: bool = False
    fold: bool = False
    aside: Aside | None = None


@dataclass(frozen=True)
class DrawnStep:
    """A further step, its slots, and the chosen wording (indices of the text and of the question)."""

    step: Step
    slots: Slots
    form: tuple[int, int]


@dataclass(frozen=True)
class Drawn:
    """A situation, its slots, the chosen wording (indices of text and question), and the steps that follow."""

    situation: Situation
    slots: Slots
    form: tuple[int, int]
    steps: tuple[DrawnStep, ...] = ()
    style: Style = field(default_factory=Style)

    def to_notes(self) -> dict[str, Json]:
        """Return what is stored with the problem, as plain JSON; ``read_drawn`` reads it back."""
        notes: dict[str, Json] = {"situation": self.situation.name, "slots": self.slots, "form": list(self.form)}
        if self.steps:
            notes["steps"] = [{"step": s.step.name, "slots": s.slots, "form": list(s.form)} for s in self.steps]
        aside = self.style.aside
        chosen = {"spell": self.style.spell, "fold": self.style.fold, "aside": list(aside) if aside else None}
        if any(chosen.values()):
            notes["style"] = {key: value for key, value in chosen.items() if value}
        if aside:
            notes["distractors"] = [aside.number]
        return notes


def read_drawn(notes: Mapping[str, Any]) -> Drawn | None:
    """Return what a problem was rendered from, or None if it is not a problem of this teacher."""
    try:
        steps = tuple(
            DrawnStep(STEPS[row["step"]], dict(row["slots"]), _form(row["form"])) for row in notes.get("steps", ())
        )
        style = dict(notes.get("style", {}))
        aside = Aside(*style["aside"]) if "aside" in style else None
        drawn = Drawn(
            SITUATIONS[notes["situation"]],
            dict(notes["slots"]),
            _form(notes["form"]),
            steps,
            Style(bool(style.get("spell")), bool(style.get("fold")), aside),
        )
        render(drawn)
    except (KeyError, IndexError, TypeError, ValueError, ProgramError):
        return None
    return drawn


def _form(pair: Any) -> tuple[int, int]:
    body, ask = pair
    return int(body), int(ask)


def render(drawn: Drawn) -> Draft:
    """Return the question, the program and the answer; the question asks for the result of the last step."""
    situation, style = drawn.situation, drawn.style
    forms = word_forms(drawn.slots)
    sentences = [fill(situation.tell[drawn.form[0]], forms, spell=style.spell)]
    if style.aside:
        aside = fill(situation.aside[style.aside.which], forms | {"x": style.aside.number}, spell=style.spell)
        sentences.insert(0 if style.aside.place == "first" else 1, aside)
    ask = fill(situation.ask[drawn.form[1]], forms, spell=style.spell)
    lines = [line.format_map(forms) for line in situation.program]
    result = situation.result
    for drawn_step in drawn.steps:
        step, (text, question_form) = drawn_step.step, drawn_step.form
        forms = forms_of_step(forms, drawn_step, result)
        sentences.append(fill(step.tell[text], forms, spell=style.spell))
        ask = fill(step.ask[question_form], forms, spell=style.spell)
        before, taken = lines[-1].partition("=")[0].strip(), {line.partition("=")[0].strip() for line in lines}
        lines += write_lines(step, forms, before, taken)
        result = step.result
    program = normalize("\n".join([*lines[:-1], "answer =" + lines[-1].partition("=")[2]]))
    text_before = " ".join(sentences)
    folds = style.fold and not (style.aside and style.aside.place == "last" and not drawn.steps)
    question = (fold(text_before, ask) if folds else None) or f"{text_before} {ask}"
    return Draft(question, program, tidy(run_program(program)), drawn.to_notes())


def forms_of_step(forms: Forms, drawn_step: DrawnStep, before: Result) -> Slots:
    """Return the slots of a step, linked to the result before it: its name, and the person who holds it."""
    role = before.who.strip("{}")
    prefix = "" if role == "name" else f"{role}_"
    linked = {
        "who": before.who.format_map(forms),
        "who_he": forms.get(f"{prefix}he", "they"),
        "who_his": forms.get(f"{prefix}his", "their"),
    }
    noun = before.noun.format_map(forms) or str(forms.get("noun", ""))
    amount = amount_forms(before.phrase.format_map(forms), noun)
    return {**forms, **word_forms(drawn_step.slots), **linked, **amount}


def write_lines(step: Step, forms: Forms, before: str, names: Collection[str]) -> list[str]:
    """Return a step's assignments, which read the variable ``before``; a name that is taken gets a number."""
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
    """Return a name, with a number appended if it is taken."""
    return next(free for free in chain([name], (f"{name}_{n}" for n in count(2))) if free not in taken)
