"""Finds the problems that a candidate collides with, by hash tables: a look-up is fast for any number of problems."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import ceil

from fdd_edge.curation._retold import Retold
from fdd_edge.curation._text import Wording, read_wording
from fdd_edge.records import Problem

__all__ = ["FEWEST_LETTERS", "Protected", "Seen"]

# Shorter runs are often just common phrases; GPT-3's authors chose this length too.
_GRAM = 13
FEWEST_LETTERS = 20
"""Shorter texts may have the same letters by chance, once numbers and spaces are gone."""


class Seen:
    """Questions of the training set: finds duplicates, also once numbers and names are masked, and near-duplicates.

    Seed problems are compared with their names; new ones also without, because a teacher draws new names.
    """

    def __init__(self) -> None:
        self._ids: dict[object, str] = {}
        self._anonymous: dict[object, str] = {}
        self._near = _Near()

    def add(self, problem: Problem, wording: Wording) -> None:
        """Add a problem; of two duplicates, the first is reported as the match."""
        for key in (wording.exact, (wording.masked, problem.answer)):
            self._ids.setdefault(key, problem.id)
        for key in (wording.anonymous, (wording.anonymous, problem.answer)):
            self._anonymous.setdefault(key, problem.id)
        self._near.add(problem.id, wording)

    def find(self, problem: Problem, wording: Wording) -> str | None:
        """Return the id of a problem with the same question, or with the same answer and other numbers only."""
        found = self._ids.get(wording.exact) or self._ids.get((wording.masked, problem.answer))
        if found is None and problem.origin != "seed":
            found = self._anonymous.get((wording.anonymous, problem.answer))
        return found

    def find_renumbered(self, wording: Wording) -> str | None:
        """Return the id of a problem that is the same except for its numbers and names."""
        return self._anonymous.get(wording.anonymous)

    def find_near(self, wording: Wording) -> str | None:
        """Return the id of the nearest problem if it is near: most of its words occur in the same order."""
        return self._near.find(wording)


class Protected:
    """Questions that must not be trained on; matches are reported as ``set:id``."""

    def __init__(self, sets: Mapping[str, Sequence[Problem]]) -> None:
        self._masked: dict[str, str] = {}
        self._letters: dict[str, str] = {}
        self._anonymous: dict[str, str] = {}
        self._grams: dict[str, str] = {}
        self._near = _Near()
        wordings = {f"{name}:{p.id}": read_wording(p.question) for name, problems in sets.items() for p in problems}
        for label, wording in wordings.items():
            self._add(wording, label)
        self._retold = Retold(wordings)

    def _add(self, wording: Wording, label: str) -> None:
        self._masked.setdefault(wording.masked, label)
        if len(wording.letters) >= FEWEST_LETTERS:
            self._letters.setdefault(wording.letters, label)
        self._anonymous.setdefault(wording.anonymous, label)
        self._near.add(label, wording)
        for gram in wording.grams(_GRAM):
            self._grams.setdefault(gram, label)

    def find(self, wording: Wording) -> str | None:
        """Return a problem that is the same except for its numbers, or shares a run of words."""
        found = self._masked.get(wording.masked) or self._letters.get(wording.letters)
        if found is None and self._grams:
            found = next((self._grams[gram] for gram in wording.grams(_GRAM) if gram in self._grams), None)
        return found

    def find_similar(self, wording: Wording) -> str | None:
        """Return a problem that is the same except for its numbers and names, or is near."""
        return self._anonymous.get(wording.anonymous) or self._near.find(wording)

    def find_retold(self, wording: Wording) -> str | None:
        """Return the problem whose story is retold most completely."""
        return self._retold.find(wording)

    def find_any(self, wording: Wording) -> str | None:
        """Return a problem that matches in any of these ways."""
        return self.find(wording) or self.find_similar(wording) or self.find_retold(wording)


_SHORT_GRAM = 4
_NEAR = 0.8
"""Two questions are near if they share this fraction of their short runs of words, with numbers and names masked."""


class _Near:
    """Finds the nearest question.

    Of two sets that share four fifths of their runs, each lacks at most a fifth of the other's runs. So looking up the
    rarest fifth of a question's runs, plus one, finds every question that is near (prefix filtering; Chaudhuri, Ganti
    and Kaushik 2006, "A primitive operator for similarity joins").
    """

    def __init__(self) -> None:
        self._runs: dict[str, frozenset[str]] = {}
        self._holders: dict[str, list[str]] = defaultdict(list)

    def add(self, name: str, wording: Wording) -> None:
        runs = _runs(wording)
        self._runs[name] = runs
        for run in runs:
            self._holders[run].append(name)

    def find(self, wording: Wording) -> str | None:
        runs = _runs(wording)
        rarest = sorted(runs, key=lambda run: (len(self._holders.get(run, ())), run))
        prefix = rarest[: len(runs) - ceil(_NEAR * len(runs)) + 1]
        # In order of insertion, so that of two equally near questions, the same one is always reported.
        names = dict.fromkeys(name for run in prefix for name in self._holders.get(run, ()))
        best = max(names, key=lambda name: _share(runs, self._runs[name]), default=None)
        return best if best is not None and _share(runs, self._runs[best]) >= _NEAR else None


def _share(runs: frozenset[str], others: frozenset[str]) -> float:
    shared = len(runs & others)
    return shared / (len(runs) + len(others) - shared)


def _runs(wording: Wording) -> frozenset[str]:
    words = wording.anonymous.split(" ")
    return frozenset(" ".join(words[at : at + _SHORT_GRAM]) for at in range(max(len(words) - _SHORT_GRAM + 1, 1)))
