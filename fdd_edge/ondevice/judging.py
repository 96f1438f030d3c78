"""Judge the text of a reply, and say how that ended; without numpy, which a machine may lack before it is set up."""

from __future__ import annotations

from .language import Outcome, judge_reply, last_number, marked_number
from .messages import Completion
from .verdicts import AnswerRule, Verdict, format_answer

__all__ = ["explain", "judge"]


def judge(text: str, *, unfinished: bool, answer: AnswerRule) -> Outcome:
    """Extract the answer of a reply: the result of its program, the number it marks as its answer, or its last one."""
    if answer == "program":
        return judge_reply(text, unfinished=unfinished)
    if unfinished:
        return Outcome(None, None, Verdict.unfinished, "the reply was cut at the token limit")
    number = marked_number(text) if answer == "number" else last_number(text)
    if number is None:
        return Outcome(None, None, Verdict.no_program, "the reply contains no number")
    return Outcome(None, number, None, "")


def explain(completion: Completion) -> str:
    """Return the line to print after a reply: its answer, or why there is none, and what exactly was wrong."""
    return format_answer(completion.answer, completion.verdict, completion.detail or "")
