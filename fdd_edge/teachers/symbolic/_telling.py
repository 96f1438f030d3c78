"""Tells a drawn situation with its further steps: the text that asks one thing, its program and its answer."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from fdd_edge.ondevice.language import ProgramError, normalize, run_program
from fdd_edge.teachers._protocol import Draft
from fdd_edge.teachers.symbolic._situation import Number, Result, Situation, Slots, Step
from fdd_edge.teachers.symbolic._words import draw_people, fill, word_forms
from fdd_edge.teachers.symbolic.situations import SITUATIONS
from fdd_edge.teachers.symbolic.steps import STEPS

__all__ = ["Drawn", "DrawnStep", "add_step", "draw_situation", "read_drawn", "tell"]


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

    def to_extra(self) -> dict[str, Any]:
        """Return what a problem keeps, so that `read_drawn` can build this again; plain JSON."""
        extra: dict[str, Any] = {"situation": self.situation.name, "slots": self.slots, "form": list(self.form)}
        if self.steps:
            extra["steps"] = [{"step": s.step.name, "slots": s.slots, "form": list(s.form)} for s in self.steps]
        return extra


def read_drawn(extra: Mapping[str, Any]) -> Drawn | None:
    """Build what a problem was told from; None where it is none of ours."""
    try:
        steps = tuple(
            DrawnStep(STEPS[row["step"]], dict(row["slots"]), _form(row["form"])) for row in extra.get("steps", ())
        )
        drawn = Drawn(SITUATIONS[extra["situation"]], dict(extra["slots"]), _form(extra["form"]), steps)
        tell(drawn)
    except (KeyError, IndexError, TypeError, ValueError, ProgramError):
        return None
    return drawn


def _form(pair: Any) -> tuple[int, int]:
    body, ask = pair
    return int(body), int(ask)


def draw_situation(situation: Situation, rng: Random) -> Drawn:
    """Draw people, words, numbers and phrasing of a situation."""
    slots: Slots = dict(zip(("name", "friend", "third"), draw_people(rng, situation.people), strict=False))
    slots |= {slot: rng.choice(words) for slot, words in situation.words.items()}
    slots |= situation.numbers(rng)
    return Drawn(situation, slots, (rng.randrange(len(situation.bodies)), rng.randrange(len(situation.asks))))


def add_step(drawn: Drawn, step: Step, rng: Random) -> Drawn | None:
    """Let a step follow; None where it does not fit the result, or no sane numbers exist."""
    results = [drawn.situation.result, *(s.step.result for s in drawn.steps)]
    if results[-1].kind not in step.of or any(s.step.name == step.name for s in drawn.steps):
        return None
    numbers = step.numbers(rng, tell(drawn).answer)
    if numbers is None:
        return None
    slots: Slots = dict(numbers)
    if step.friend:
        people = [str(s[role]) for s in _all_slots(drawn) for role in ("name", "friend", "third", "pal") if role in s]
        slots["pal"] = draw_people(rng, 1, people)[0]
    form = (rng.randrange(len(step.bodies)), rng.randrange(len(step.asks)))
    return Drawn(drawn.situation, drawn.slots, drawn.form, (*drawn.steps, DrawnStep(step, slots, form)))


def _all_slots(drawn: Drawn) -> list[Slots]:
    return [drawn.slots, *(step.slots for step in drawn.steps)]


def tell(drawn: Drawn) -> Draft:
    """Write the question, the program and the answer; of several steps only the last is asked."""
    situation = drawn.situation
    forms = word_forms(drawn.slots)
    sentences = [fill(situation.bodies[drawn.form[0]], forms)]
    ask = fill(situation.asks[drawn.form[1]], forms)
    lines = [line.format_map(forms) for line in situation.program]
    result = situation.result
    for told in drawn.steps:
        forms = _forms_of_step(forms, told, result, lines[-1])
        sentences.append(fill(told.step.bodies[told.form[0]], forms))
        ask = fill(told.step.asks[told.form[1]], forms)
        lines += _rename_clashes([line.format_map(forms) for line in told.step.program], lines)
        result = told.step.result
    program = normalize("\n".join([*lines[:-1], "answer =" + lines[-1].partition("=")[2]]))
    return Draft(" ".join([*sentences, ask]), program, _tidy(run_program(program)), drawn.to_extra())


def _forms_of_step(forms: Mapping[str, Any], told: DrawnStep, before: Result, line: str) -> dict[str, Any]:
    """Link a step to the result before it: what it is called, who holds it, and its variable."""
    role = before.who.strip("{}")
    prefix = "" if role == "name" else f"{role}_"
    linked = {
        "phrase": before.phrase.format_map(forms),
        "who": before.who.format_map(forms),
        "who_he": forms.get(f"{prefix}he", "they"),
        "who_his": forms.get(f"{prefix}his", "their"),
        "prev": line.partition("=")[0].strip(),
    }
    return {**forms, **word_forms(told.slots), **linked}


def _rename_clashes(lines: list[str], earlier: list[str]) -> list[str]:
    """Give the variables of a step another name where an earlier line has it."""
    taken = {line.partition("=")[0].strip() for line in earlier}
    for name in [line.partition("=")[0].strip() for line in lines]:
        if name in taken:
            # A first line reads the earlier variable of that name on its right side, never on its left.
            lines = [re.sub(rf"\b{name}\b", f"{name}_2", line) for line in lines]
    return lines


def _tidy(value: Number) -> Number:
    return int(value) if float(value).is_integer() else round(value, 6)


def program_shape(program: str) -> str:
    """Return the program with its names and numbers rubbed out: equal for problems with the same steps."""
    tree = ast.parse(program)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.setdefault(node.id, f"v{len(names)}")
        elif isinstance(node, ast.Constant):
            node.value = 0
    return ast.unparse(tree)
