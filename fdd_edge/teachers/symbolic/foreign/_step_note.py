"""The note that a further step leaves in a draft's ``notes``, so that another step can follow it; plain JSON."""

from __future__ import annotations

from fdd_edge.records import Problem
from fdd_edge.runs.fingerprint import Json
from fdd_edge.teachers.symbolic.foreign._given import Given
from fdd_edge.teachers.symbolic.foreign._text_numbers import find_numbers

__all__ = ["read_note", "write_note"]


def write_note(step: str, ask: str, after: Given) -> dict[str, Json]:
    """Return the note of a step: its question as it was written, and the noun phrase for its result."""
    asked = {"ask": ask, "phrase": after.phrase, "noun": after.noun, "kind": after.kind, "name": after.name}
    return {"further": step, "asked": {**asked, "done": [*after.done]}}


def read_note(problem: Problem) -> Given | None:
    """Return a problem with its question turned into a given; None if it has no further step, or was rewritten."""
    asked = problem.teacher_notes.get("asked")
    try:
        ask, texts = str(asked["ask"]), [str(asked[key]) for key in ("phrase", "noun", "kind", "name")]  # type: ignore[index]
        done = tuple(map(str, asked["done"]))  # type: ignore[index]
    except (KeyError, TypeError):
        return None
    text = _without(problem.question, ask) if ask else None
    phrase, noun, kind, name = texts
    # If the numbers of a problem were changed, the phrase still contains the old ones.
    in_text = [number.value for number in find_numbers(text or "")]
    if text is None or any(number.value not in (1, *in_text) for number in find_numbers(phrase)):
        return None
    return Given(text, phrase, noun, kind, name=name, done=done)


def _without(question: str, ask: str) -> str | None:
    """Return a problem without its question; a condition in the question becomes a separate sentence."""
    if question.endswith(f" {ask}"):
        return question.removesuffix(f" {ask}")
    folded = f", {ask[0].lower()}{ask[1:]}"
    before, found, condition = question.removesuffix(folded).rpartition("If ")
    if not question.endswith(folded) or not found:
        return None
    return f"{before}{condition[0].upper()}{condition[1:]}."
