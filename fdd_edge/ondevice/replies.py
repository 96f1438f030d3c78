"""One reply as it grows: when it is over, what its text is, and what becomes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from .language import Outcome, judge_reply, last_number
from .verdicts import Verdict

__all__ = ["Reply", "Vocabulary", "choose", "judge", "random_stream"]


class Vocabulary(Protocol):
    """What a reply needs to know of a model."""

    def piece(self, token: int) -> bytes:
        """Return the bytes of one token."""

    def ends_reply(self, token: int) -> bool:
        """Say whether a token means that the model has finished."""


class Reply:
    """The tokens of one reply; it ends with the model's own end, before a stop text, or at its budget.

    Attributes:
        ids: Every generated token, with the one that ended the reply.
        over: Nothing more is to be generated.
        unfinished: It ended because the budget was spent.
    """

    def __init__(self, vocabulary: Vocabulary, budget: int, stop: Sequence[str]) -> None:
        self._vocabulary = vocabulary
        self._budget = budget
        self._stop = [text.encode("utf-8", errors="replace") for text in stop]
        self._longest_stop = max(map(len, self._stop), default=0)
        # Bytes, not text: a token may end in the middle of a character.
        self._bytes = bytearray()
        self.ids: list[int] = []
        self.over = False
        self.unfinished = False

    def add(self, token: int) -> None:
        """Append a generated token."""
        self.ids.append(token)
        if self._vocabulary.ends_reply(token):
            self.over = True
            return
        piece = self._vocabulary.piece(token)
        searched = max(0, len(self._bytes) - self._longest_stop + 1)
        self._bytes += piece
        if (cut := self._find_stop(searched)) is not None:
            del self._bytes[cut:]
            self.over = True
        elif len(self.ids) >= self._budget:
            self.over = self.unfinished = True

    @property
    def text(self) -> str:
        """The reply so far; bytes that are no character show as U+FFFD."""
        return self._bytes.decode("utf-8", errors="replace")

    def _find_stop(self, start: int) -> int | None:
        found = [at for text in self._stop if (at := self._bytes.find(text, start)) >= 0]
        return min(found, default=None)


def judge(text: str, *, unfinished: bool, answer: Literal["program", "number"]) -> Outcome:
    """Take the answer out of a reply: its program's, or its last number."""
    if answer == "program":
        return judge_reply(text, unfinished=unfinished)
    if unfinished:
        return Outcome(None, None, Verdict.unfinished, "the reply was cut at the token limit")
    number = last_number(text)
    if number is None:
        return Outcome(None, None, Verdict.no_program, "the reply holds no number")
    return Outcome(None, number, None, "")


def random_stream(seed: int, problem_id: str, sample: int) -> np.random.Generator:
    """Return the random numbers of one reply, whatever else is decoded beside it."""
    digest = hashlib.sha256(f"{seed}\0{sample}\0{problem_id}".encode("utf-8", errors="replace")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def choose(logits: npt.NDArray[np.float32], temperature: float, stream: np.random.Generator) -> int:
    """Return the next token for one row of logits, shape (n_vocab,).

    Raises:
        FloatingPointError: The likeliest token has no finite logit, so the model's arithmetic went wrong.
    """
    best = int(np.argmax(logits))  # numpy's argmax stops at a NaN, so this one test finds any
    if not np.isfinite(logits[best]):
        raise FloatingPointError("the logits are not finite numbers")
    if temperature == 0:
        return best
    weights = np.exp((logits.astype(np.float64) - float(logits[best])) / temperature)
    cumulative = np.cumsum(weights)
    drawn = int(np.searchsorted(cumulative, stream.random() * cumulative[-1], side="right"))
    return min(drawn, len(logits) - 1)
