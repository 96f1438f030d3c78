"""What can be seen in a reply, without the gold answer, that makes its answer doubtful."""

from __future__ import annotations

import re
from collections import Counter

from fdd_edge.number_words import numbers_in_words
from fdd_edge.ondevice.protocol import Completion

__all__ = ["doubts_about"]

_IN_QUESTION = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+")
_IN_PROGRAM = re.compile(r"(?<![\w.])(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE)
_SAME_LINES = 3
_TIMES = 3.5
"""How often the same text must stand at the end of a reply for it to count as repeating itself."""
_LONGEST_LOOP = 400
"""Characters of that text, at most."""


def doubts_about(question: str, reply: Completion) -> list[str]:
    """Return sentences about a reply: its program has nothing to do with the question, or it repeats itself."""
    doubts = []
    asked = _numbers(_IN_QUESTION.findall(question)) | set(numbers_in_words(question))
    if reply.program is not None and asked:
        used = _numbers(_IN_PROGRAM.findall(reply.program))
        if not used & (asked | {number / 100 for number in asked}):
            doubts.append("The program uses none of the numbers in the question, so its answer may be a guess.")
    # A program may well repeat a step.
    if reply.program is None and _repeats(reply.text):
        doubts.append("The reply repeats itself, as models do that have lost the thread.")
    return doubts


def _numbers(texts: list[str]) -> set[float]:
    return {float(text.replace(",", "").replace("_", "")) for text in texts}


def _repeats(text: str) -> bool:
    """Return whether a text has the same line several times, or goes round in circles at its end."""
    lines = Counter(line.strip() for line in text.splitlines() if line.strip())
    if any(n >= _SAME_LINES for n in lines.values()):
        return True
    end = text.rstrip()
    for size in range(3, min(_LONGEST_LOOP, int(len(end) / _TIMES)) + 1):
        last = end[-int(size * _TIMES) :]
        # Digits may: 1/3 has as many threes as there is room.
        if last[size:] == last[:-size] and any(character.isalpha() for character in last):
            return True
    return False
