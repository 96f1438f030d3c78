"""Makes an item of a question and the reply to it, as instruction sets and chats have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from fdd_edge.data._gold import parse_gold
from fdd_edge.data._item import Item
from fdd_edge.data._solution import UNMARKED, answer_text, final_answer
from fdd_edge.ondevice.language import ProgramError, normalize, run_program

__all__ = ["Computed", "compute", "item_of_reply"]

_FENCED = re.compile(r"```[A-Za-z]*\s*\n(?P<code>.*?)\n?```", re.DOTALL)


class Computed(NamedTuple):
    """A program in normal form, and the number that it computes."""

    program: str
    answer: int | float


def compute(code: str) -> Computed:
    """Read a program in the program language and run it.

    Raises:
        ProgramError: The language cannot read it, or it computes no number.
    """
    program = normalize(code)
    return Computed(program, run_program(program))


def item_of_reply(question: str, reply: str, own_id: str | None, extra: Mapping[str, Any]) -> Item:
    """Return the item of a question and its reply.

    The answer is the one that the reply marks, or the reply itself if it is a number, or what it computes if it is a
    program and nothing else.
    """
    plain = answer_text(reply)
    if parse_gold(plain) is not None:
        return Item(question, plain, own_id, extra)
    marked = final_answer(reply)
    if marked is not None:
        return Item(question, marked, own_id, extra, {"solution": reply})
    code = _FENCED.fullmatch(reply)
    try:
        program, answer = compute(code["code"] if code else reply if "```" not in reply else "")
    except ProgramError:
        return Item(question, reply, own_id, extra, skip=UNMARKED)
    return Item(question, answer, own_id, extra, {"program": program})
