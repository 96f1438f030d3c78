"""What a candidate may collide with, in hash tables: a look-up costs the same however many problems there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fdd_edge.curation._text import Wording, read_wording
from fdd_edge.records import Problem

__all__ = ["Protected", "Seen"]

# Shorter runs are often mere phrases; GPT-3's authors chose this length too.
_GRAM = 13


class Seen:
    """Questions of the training set, by their words, and by their words under other numbers."""

    def __init__(self) -> None:
        self._ids: dict[object, str] = {}

    def add(self, problem: Problem, wording: Wording) -> None:
        """Remember a problem; of two alike the first is named."""
        for key in _keys(problem, wording):
            self._ids.setdefault(key, problem.id)

    def find(self, problem: Problem, wording: Wording) -> str | None:
        """Return the id of a problem with the same question, or the same but for its numbers and the same answer."""
        return next((self._ids[key] for key in _keys(problem, wording) if key in self._ids), None)


class Protected:
    """Questions that training must not have seen; found as ``set:id``."""

    def __init__(self, sets: Mapping[str, Sequence[Problem]]) -> None:
        self._masked: dict[str, str] = {}
        self._grams: dict[str, str] = {}
        for name, problems in sets.items():
            for problem in problems:
                self._add(read_wording(problem.question), f"{name}:{problem.id}")

    def _add(self, wording: Wording, label: str) -> None:
        self._masked.setdefault(wording.masked, label)
        for gram in wording.grams(_GRAM):
            self._grams.setdefault(gram, label)

    def find(self, wording: Wording) -> str | None:
        """Return a problem that is the same but for its numbers, or shares a run of words."""
        if wording.masked in self._masked:
            return self._masked[wording.masked]
        return next((self._grams[gram] for gram in wording.grams(_GRAM) if gram in self._grams), None)


def _keys(problem: Problem, wording: Wording) -> tuple[object, object]:
    return wording.exact, (wording.masked, problem.answer)
