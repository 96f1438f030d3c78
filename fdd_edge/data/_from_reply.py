"""Makes an item of a question and the reply to it, as instruction sets and chats have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fdd_edge.data._gold import parse_gold
from fdd_edge.data._item import Item, Row
from fdd_edge.data._solution import UNMARKED, answer_text, final_answer
from fdd_edge.ondevice.language import ProgramError, compute
from fdd_edge.records import same_answer

__all__ = ["item_of_reply", "program_in"]

_FENCED = re.compile(r"```[A-Za-z]*\s*\n(?P<code>.*?)\n?```", re.DOTALL)


def program_in(row: Row, answer: int | float) -> dict[str, str]:
    """Return the ``program`` of a row whose format has none, from columns that other sets have for it.

    ``program`` and ``code`` count if they are in the program language and compute the row's answer; sets of other kinds
    use these words for other things.
    """
    for key in ("program", "code"):
        code = row.get(key)
        if not isinstance(code, str) or parse_gold(code) is not None:
            continue
        try:
            computed = compute(code)
        except ProgramError:
            continue
        if same_answer(computed.answer, answer):
            return {"program": computed.program}
    return {}


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
