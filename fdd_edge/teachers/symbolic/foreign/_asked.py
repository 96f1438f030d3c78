"""What a further step leaves in a draft's ``extra``, so that another may go on from its result; plain JSON."""

from __future__ import annotations

from typing import Any

from fdd_edge.records import Problem
from fdd_edge.teachers.symbolic.foreign._given import Given
from fdd_edge.teachers.symbolic.foreign._text_numbers import find_numbers

__all__ = ["read_asked", "write_asked"]


def write_asked(step: str, ask: str, after: Given) -> dict[str, Any]:
    """Return what to keep of a step: the question as it was written, and what its answer is called."""
    asked = {"ask": ask, "phrase": after.phrase, "noun": after.noun, "kind": after.kind, "name": after.name}
    return {"further": step, "asked": {**asked, "done": [*after.done]}}


def read_asked(problem: Problem) -> Given | None:
    """Return a problem with its question as something given; None where it has no further step, or was rewritten."""
    asked = problem.extra.get("asked")
    try:
        ask, texts = str(asked["ask"]), [str(asked[key]) for key in ("phrase", "noun", "kind", "name")]  # type: ignore[index]
        done = tuple(map(str, asked["done"]))  # type: ignore[index]
    except (KeyError, TypeError):
        return None
    told = _without(problem.question, ask) if ask else None
    phrase, noun, kind, name = texts
    # Where the numbers of a problem were changed, the phrase still tells those of before.
    written = [number.value for number in find_numbers(told or "")]
    if told is None or any(number.value not in (1, *written) for number in find_numbers(phrase)):
        return None
    return Given(told, phrase, noun, kind, name=name, done=done)


def _without(question: str, ask: str) -> str | None:
    """Take the question off a problem; a condition in it becomes a sentence of its own."""
    if question.endswith(f" {ask}"):
        return question.removesuffix(f" {ask}")
    folded = f", {ask[0].lower()}{ask[1:]}"
    told, found, condition = question.removesuffix(folded).rpartition("If ")
    if not question.endswith(folded) or not found:
        return None
    return f"{told}{condition[0].upper()}{condition[1:]}."
