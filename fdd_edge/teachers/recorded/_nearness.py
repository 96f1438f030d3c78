"""How near the questions of a bank are to another one: BM25 over their words, without numbers and names.

BM25 is described by Robertson and Zaragoza 2009, "The probabilistic relevance framework"; bm25s (arXiv 2407.03618)
computes it.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from math import log
from typing import TYPE_CHECKING

from fdd_edge.errors import MissingExtraError
from fdd_edge.number_words import NUMBER_WORDS

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Nearness"]

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_POSSESSIVE = re.compile(r"['’]s?$")
_DIGITS = 5
"""Decimals of a nearness: later ones depend on how a processor adds up."""


class Nearness:
    """The questions of a bank, indexed."""

    def __init__(self, questions: Sequence[str]) -> None:
        """Index questions.

        Raises:
            MissingExtraError: bm25s is not installed.
        """
        try:
            from bm25s import BM25
        except ImportError:
            raise MissingExtraError("bm25s", "teacher") from None
        # It lets through everything, so that a program that logs anything at all would print its notes on debugging.
        logging.getLogger("bm25s").setLevel(logging.WARNING)
        written = [_spelled(question) for question in questions]
        self._lower_case = {word for words in written for word in words if word.islower()}
        documents = [self._words(words) for words in written]
        vocabulary: dict[str, int] = {}
        ids = [[vocabulary.setdefault(word, len(vocabulary)) for word in words] for words in documents]
        self._n = len(documents)
        self._vocabulary = dict(vocabulary)
        self._holders = Counter(word for words in documents for word in set(words))
        self._index = BM25(backend="numpy")
        if vocabulary:
            self._index.index((ids, vocabulary), show_progress=False)

    def of(self, question: str) -> np.ndarray:
        """Return how near every indexed question is, from 0 to 1: the weighted share of this one's words it holds."""
        import numpy as np

        words = dict.fromkeys(self._words(_spelled(question)))
        known = [self._vocabulary[word] for word in words if word in self._vocabulary]
        if not known:
            return np.zeros(self._n)
        most = sum(log(1 + (self._n - held + 0.5) / (held + 0.5)) for held in map(self._holders.__getitem__, words))
        nearness: np.ndarray = np.round(self._index.get_scores_from_ids(known).astype(float) / most, _DIGITS)
        return nearness

    def _words(self, written: Sequence[str]) -> list[str]:
        """Return the words that say what a question is about.

        A capitalized word is a name unless the bank also has it in lower case.
        """
        about = (word.lower() for word in written if word.islower() or word.lower() in self._lower_case)
        return [_stem(word) for word in about if word not in NUMBER_WORDS]


def _spelled(question: str) -> list[str]:
    return [_POSSESSIVE.sub("", word) for word in _WORD.findall(unicodedata.normalize("NFKC", question))]


def _stem(word: str) -> str:
    """Return a word without the s of its plural."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
