"""Finds where a reply goes on with another worked example, as models that were not trained on the prompt do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

__all__ = ["BLANK_LINE", "NextExample"]

BLANK_LINE = "\n\n"

_NEXT_QUESTION = rb"(?:\*\*)?(?:Q|Question|QUESTION|Problem|PROBLEM|(?:Problem|Exercise|Example) [0-9]{1,3})(?:\*\*)?:"
"""How an invented example may begin, whatever the template says. In lower case these may be variables of a program."""
_LONGEST_LABEL = len("**Exercise 999**:")


@dataclass(frozen=True)
class NextExample:
    """Where the next worked example begins, which a model that was not trained on the prompt often invents.

    A blank line alone does not tell: programs and solutions contain blank lines.

    Attributes:
        opening: What an example begins with, before its question; empty if the template begins with the question.
        closing: What follows the question, for a template without an opening.
        label: The line of the opening that the question is on, or follows; such as ``Q:``.
    """

    opening: str
    closing: str
    label: str = ""

    @classmethod
    def of(cls, before: str, after: str) -> NextExample:
        """Return how an example begins, given what a prompt has before and after its question."""
        first, last = before.strip().split("\n"), after.strip().split("\n")
        return cls(first[0].rstrip(), last[0].rstrip(), first[-1].strip())

    def find(self, reply: bytes | bytearray, start: int) -> int | None:
        """Return where the next example begins in a reply, searched from a position on; None if it does not."""
        found = []
        for match in self._beginning.finditer(reply, start):
            # At the very beginning, after one line end, the model may restate the question that it answers.
            if match[0].startswith(b"\n\n") or reply[: match.start()].strip():
                found.append(match.start())
                break
        if not self.opening and (at := self._find_closing(reply, start)) is not None:
            found.append(at)
        return min(found, default=None)

    def _find_closing(self, reply: bytes | bytearray, start: int) -> int | None:
        """Return where an example begins that shows only by what follows its question, or by a blank line."""
        closing, blank_line = self.closing.encode("utf-8", errors="replace"), BLANK_LINE.encode()
        if not closing:
            at = reply.find(blank_line, start)
            return None if at < 0 else at
        at = reply.find(b"\n" + closing, start)
        while at >= 0:
            # The invented question is between the last blank line, or line end, and the closing.
            begins = reply.rfind(blank_line, 0, at)
            if begins < 0 and reply[:at].rstrip().endswith(b"?"):
                begins = max(reply.rfind(b"\n", 0, at), 0)
            if begins >= 0:
                return begins
            at = reply.find(b"\n" + closing, at + 1)
        return None

    @cached_property
    def _beginning(self) -> re.Pattern[bytes]:
        """The beginning of an example: a label at the start of a line, any other opening after a blank line."""
        own = {text.encode("utf-8", errors="replace") for text in (self.opening, self.label) if _has_letter(text)}
        choices = [rb"\n{1,2}" + _NEXT_QUESTION]
        for text in sorted(own):
            choices.append((rb"\n{1,2}" if text.endswith(b":") else b"\n\n") + re.escape(text))
        if self.opening and not own:
            choices.append(b"\n\n" + re.escape(self.opening.encode("utf-8", errors="replace")))
        return re.compile(b"|".join(choices))

    @property
    def longest(self) -> int:
        """The most bytes that may have been added before it is found."""
        texts = (self.opening, self.label, self.closing, "*" * _LONGEST_LABEL)
        return max(len((BLANK_LINE + text).encode("utf-8", errors="replace")) for text in texts)


def _has_letter(text: str) -> bool:
    return any(character.isalpha() for character in text)
