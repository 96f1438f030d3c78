"""What a candidate may collide with, in hash tables: a look-up costs the same however many problems there are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from fdd_edge.curation._text import Wording, read_wording
from fdd_edge.records import Problem

__all__ = ["Protected", "Seen"]

# Shorter runs are often mere phrases; GPT-3's authors chose this length too.
_GRAM = 13
_SHORT_GRAM = 4
_NEAR = 0.8
"""Two questions are near where they share this part of all their short runs of words, numbers masked."""
_COMMON = 200
"""A run that so many questions share is a phrase, and tells none of them."""


class Seen:
    """Questions of the training set: by their words, by their words under other numbers, and by short runs of them."""

    def __init__(self) -> None:
        self._ids: dict[object, str] = {}
        self._masked: dict[str, str] = {}
        self._runs: dict[str, list[str]] = defaultdict(list)
        self._sizes: dict[str, int] = {}

    def add(self, problem: Problem, wording: Wording) -> None:
        """Remember a problem; of two alike the first is named."""
        for key in _keys(problem, wording):
            self._ids.setdefault(key, problem.id)
        self._masked.setdefault(wording.masked, problem.id)
        runs = _runs(wording)
        self._sizes[problem.id] = len(runs)
        for run in runs:
            self._runs[run].append(problem.id)

    def find(self, problem: Problem, wording: Wording) -> str | None:
        """Return the id of a problem with the same question, or the same but for its numbers and the same answer."""
        return next((self._ids[key] for key in _keys(problem, wording) if key in self._ids), None)

    def find_renumbered(self, wording: Wording) -> str | None:
        """Return the id of a problem that is the same but for its numbers."""
        return self._masked.get(wording.masked)

    def find_near(self, wording: Wording) -> str | None:
        """Return the id of the nearest problem, where it is near: most of the words stand in the same order."""
        runs = _runs(wording)
        shared = Counter(name for run in runs if len(found := self._runs.get(run, ())) <= _COMMON for name in found)
        best = max(shared, key=lambda name: self._share(name, shared[name], len(runs)), default=None)
        return best if best is not None and self._share(best, shared[best], len(runs)) >= _NEAR else None

    def _share(self, name: str, shared: int, size: int) -> float:
        return shared / (self._sizes[name] + size - shared)


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


def _runs(wording: Wording) -> set[str]:
    words = wording.masked.split(" ")
    return {" ".join(words[start : start + _SHORT_GRAM]) for start in range(max(len(words) - _SHORT_GRAM + 1, 1))}
