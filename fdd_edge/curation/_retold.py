"""Finds questions that tell the story of another one: its sentences in any order, with text before, between or after.

Runs of words miss what scraped copies do: a word put in every few words, sentences in another order, an introduction,
numbers written as words. So each sentence of the protected question is aligned with the candidate, which only has to
hold its words in their order, close together (Smith and Waterman 1981, "Identification of common molecular
subsequences").
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fdd_edge.curation._text import Wording

__all__ = ["Retold"]

_SHARE, _SHARE_OF_SHORT = 0.85, 0.9
"""A story is retold if a candidate holds this share of it, by the weights of its words."""
_GAP = 0.1
"""What each word costs that a candidate puts between two words of a sentence."""
_FEWEST_HEAVY = 5
"""A story with fewer different words that say something is short: all its words count the same, names too."""

_LONGEST = 1000
"""Further words of a candidate are not compared: nothing that long is trained on, and it would take minutes."""


class _Story(NamedTuple):
    """A protected question.

    Attributes:
        sentences: Its sentences in words, with numbers masked.
        weights: The weight of each of its words.
        counts: The weight of each of its words, times how often it occurs.
        heavy: The words of weight 1.
        total: The weight of the whole story.
        spare: The weight that a candidate may lack.
    """

    sentences: Sequence[Sequence[str]]
    weights: Mapping[str, float]
    counts: Mapping[str, float]
    heavy: frozenset[str]
    total: float
    spare: float


class Retold:
    """Protected questions; a look-up is fast for any number of them.

    A candidate may lack 15 % of a story, so it holds one of the rarest words that make up more than that: these are
    enough to find it (prefix filtering, as for near-duplicates).
    """

    def __init__(self, wordings: Mapping[str, Wording]) -> None:
        """Take the questions by name."""
        self._stories = {name: _read_story(wording) for name, wording in wordings.items()}
        holders = Counter(word for story in self._stories.values() for word in story.counts)
        self._found_by: dict[str, list[str]] = defaultdict(list)
        for name, story in self._stories.items():
            left = story.spare
            for word in sorted(story.counts, key=lambda word: (holders[word], word)):
                if left < 0:
                    break
                self._found_by[word].append(name)
                left -= story.counts[word]

    def find(self, wording: Wording) -> str | None:
        """Return the name of the story that a question retells most completely, or None."""
        words = wording.masked_words[:_LONGEST]
        held = frozenset(words)
        best, found = 0.0, None
        for name in sorted({name for word in held for name in self._found_by.get(word, ())}):
            story = self._stories[name]
            if len(story.heavy - held) <= story.spare and (retold := _retold(story, words)) > best:
                best, found = retold, name
        return found


def _read_story(wording: Wording) -> _Story:
    words = Counter(wording.masked_words)
    weights = {word: wording.weight_of(word) for word in words}
    share = _SHARE
    if sum(weight == 1 for weight in weights.values()) < _FEWEST_HEAVY:
        weights, share = dict.fromkeys(words, 1.0), _SHARE_OF_SHORT
    counts = {word: n * weights[word] for word, n in words.items()}
    heavy = frozenset(word for word, weight in weights.items() if weight == 1)
    total = sum(counts.values())
    return _Story(wording.sentences, weights, counts, heavy, total, (1 - share) * total + 1e-9)


def _retold(story: _Story, words: Sequence[str]) -> float:
    """Return the share of a story that its sentences, one by one, find in order and close together; 0 if too little."""
    spare = story.spare
    for sentence in story.sentences:
        spare -= sum(story.weights[word] for word in sentence) - _best_alignment(sentence, words, story.weights)
        if spare < 0:
            return 0.0
    return 1 - (story.spare - spare) / story.total


def _best_alignment(sentence: Sequence[str], words: Sequence[str], weights: Mapping[str, float]) -> float:
    scores = [0.0] * (len(words) + 1)
    for wanted in sentence:
        weight, diagonal, best = weights[wanted], 0.0, 0.0
        for at, word in enumerate(words, start=1):
            above = scores[at]
            best = max(above, best - _GAP, diagonal + weight if word == wanted else 0.0)
            scores[at], diagonal = best, above
    return max(scores)
