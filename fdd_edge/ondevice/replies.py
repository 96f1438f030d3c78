"""Collect the tokens of a reply, and decide when it is finished."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .judging import judge
from .next_example import NextExample

__all__ = ["Reply", "Vocabulary", "choose_token", "judge", "random_stream"]


class Vocabulary(Protocol):
    """What a reply needs to know about a model."""

    def piece(self, token: int) -> bytes:
        """Return the bytes of one token."""

    def ends_reply(self, token: int) -> bool:
        """Return whether a token ends the reply."""


class Reply:
    """The tokens of one reply. It ends with an end token, before a stop text or another example, or with its budget.

    Attributes:
        ids: Every generated token, including the one that ended the reply.
        done: Whether the reply has ended.
        unfinished: Whether it was cut because its budget was used up.
    """

    def __init__(
        self, vocabulary: Vocabulary, budget: int, stop: Sequence[str], next_example: NextExample | None = None
    ) -> None:
        self._vocabulary = vocabulary
        self._budget = budget
        self._stop = [text.encode("utf-8", errors="replace") for text in stop]
        self._next_example = next_example
        self._longest_stop = max([*map(len, self._stop), next_example.longest if next_example else 0], default=0)
        # Bytes, because a token may end in the middle of a character.
        self._bytes = bytearray()
        self.ids: list[int] = []
        self.done = False
        self.unfinished = False

    def add(self, token: int) -> None:
        """Append a generated token."""
        self.ids.append(token)
        if self._vocabulary.ends_reply(token):
            self.done = True
            return
        piece = self._vocabulary.piece(token)
        searched = max(0, len(self._bytes) - self._longest_stop + 1)
        self._bytes += piece
        if (cut := self._find_stop(searched)) is not None:
            del self._bytes[cut:]
            self.done = True
        elif len(self.ids) >= self._budget:
            self.done = self.unfinished = True

    @property
    def text(self) -> str:
        """The reply so far; invalid UTF-8 is shown as U+FFFD."""
        return self._bytes.decode("utf-8", errors="replace")

    def _find_stop(self, start: int) -> int | None:
        found = [at for text in self._stop if (at := self._bytes.find(text, start)) >= 0]
        if self._next_example is not None and (at_example := self._next_example.find(self._bytes, start)) is not None:
            found.append(at_example)
        return min(found, default=None)


def random_stream(seed: int, problem_id: str, sample: int) -> np.random.Generator:
    """Return the random stream of one reply, which does not depend on what else is decoded."""
    digest = hashlib.sha256(f"{seed}\0{sample}\0{problem_id}".encode("utf-8", errors="replace")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def choose_token(logits: npt.NDArray[np.float32], temperature: float, stream: np.random.Generator) -> int:
    """Return the next token for one row of logits, shape (n_vocab,).

    Raises:
        FloatingPointError: The logit of the likeliest token is not finite, so the model's arithmetic went wrong.
    """
    best = int(np.argmax(logits))  # argmax returns the first NaN if there is one, so one test suffices
    if not np.isfinite(logits[best]):
        raise FloatingPointError("the logits are not finite")
    if temperature == 0:
        return best
    weights = np.exp((logits.astype(np.float64) - float(logits[best])) / temperature)
    cumulative = np.cumsum(weights)
    drawn = int(np.searchsorted(cumulative, stream.random() * cumulative[-1], side="right"))
    return min(drawn, len(logits) - 1)
