"""Reads a language model's reply: the question and the program in it, also where the layout of its code is broken.

A reply is asked for in a frame, ``<question>`` and ``<program>``; models that ignore it reply as they do in a chat, and
a careful person could still read the program. The program is interpreted and never run by Python.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from fdd_edge.ondevice.language import Computed, ProgramError, Verdict, compute
from fdd_edge.records import same_answer

__all__ = ["REPLY_CUT", "Reply", "ReplyError", "read_reply"]

_THOUGHT = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_THOUGHT_ENDS = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
"""Around what reasoning models write before the reply, where the endpoint does not separate the two."""

_TAGS = {
    name: re.compile(rf"<{name}>(?P<text>.*?)(?P<end></{name}>|\Z)", re.DOTALL | re.IGNORECASE)
    for name in ("question", "program")
}
_FENCED = re.compile(r"^[ \t]*```[^\n`]*\n(?P<code>.*?)(?P<end>^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
_ESCAPE = re.compile(r"\\(?=[_*])")
_TYPOGRAPHY = str.maketrans("−×÷\u00a0\u2007\u202f", "-*/   ")
"""What Markdown and typography make of code: ``eggs\\_left``, signs of arithmetic, spaces that do not break."""

_FUNCTION = re.compile(r"^(?P<indent>[ \t]*)def[ \t]+\w+[ \t]*\(", re.MULTILINE)
_DOCSTRING = re.compile(r'\A\s*(?P<quotes>"""|\'\'\').*?(?P=quotes)[ \t]*(?=\n|\Z)', re.DOTALL)
_LONGEST_QUESTION = 2_000
_LONGEST_REPLY = 32_000
"""Characters, not counting thoughts; longer ones are refused, so that no text takes long to read."""
_MOST_PIECES = 16
"""Pieces of code, and functions in one of them, that are tried."""


REPLY_CUT = "reply_cut"
"""The reason why half a reply is not read."""


class _Piece(NamedTuple):
    """What may be a program, and whether the reply shows where it ends."""

    code: str
    is_whole: bool


class Reply(NamedTuple):
    """What a reply says.

    Attributes:
        question: The new problem's text, on one line; None if the reply has no frame with one.
        program: The program in normal form.
        answer: What it computes.
    """

    question: str | None
    program: str
    answer: int | float


class ReplyError(Exception):
    """A reply that cannot be read.

    Attributes:
        reason: A short slug, such as ``no_program``; reasons are counted and reported.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read_reply(text: str, *, with_question: bool = False, ended: bool = True) -> Reply:
    """Read a reply.

    Args:
        text: What the model wrote.
        with_question: Whether it must also say a question.
        ended: Whether the model ended it. If that is not known, only what is inside a closed frame or fence is read:
            the last line of anything else may be missing, and the rest still compute a number.

    Raises:
        ReplyError: It has no program that computes a number, several with different results, or no question; or it was
            cut off.
    """
    *_, text = _THOUGHT_ENDS.split(text)
    if len(text) > _LONGEST_REPLY:
        raise ReplyError("limit", f"a reply of {len(text):,} characters")
    if _THOUGHT.search(text):
        raise ReplyError(REPLY_CUT, "a thought that does not end")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    question = _question(text, ended) if with_question else None
    program, answer = _program(text, ended)
    return Reply(question, program, answer)


def _question(text: str, ended: bool) -> str:
    found = {" ".join(tagged.split()) for tagged in _tagged("question", text, ended)} - {""}
    if len(found) != 1:
        raise ReplyError("no_question" if not found else "several_questions", f"{len(found)} questions")
    (question,) = found
    if len(question) > _LONGEST_QUESTION or "```" in question or "<program>" in question.lower():
        raise ReplyError("no_question", "the question is not a plain text")
    return question


def _tagged(name: str, text: str, ended: bool) -> list[str]:
    """Return what is inside tags of a name; one that is not closed goes on to the end of a reply that has one."""
    matches = list(_TAGS[name].finditer(text))
    if not ended and any(not match["end"] for match in matches):
        raise ReplyError(REPLY_CUT, f"the {name} is not closed")
    return [match["text"] for match in matches]


def _program(text: str, ended: bool) -> tuple[str, int | float]:
    """Return the program of a reply, and what it computes."""
    found: dict[str, int | float] = {}
    fault: ProgramError | None = None
    for piece in islice(_pieces(text, ended), _MOST_PIECES):
        try:
            computed = _compute(piece.code)
        except ProgramError as error:
            if fault is None or fault.verdict is Verdict.no_program:
                fault = error
        else:
            if not (ended or piece.is_whole):
                raise ReplyError(REPLY_CUT, "the program is not closed")
            found[computed.program] = computed.answer
    if not found:
        assert fault is not None
        raise ReplyError(str(fault.verdict), str(fault))
    program, answer = next(reversed(found.items()))
    if not all(same_answer(other, answer) for other in found.values()):
        raise ReplyError("several_programs", f"programs that compute {', '.join(map(str, found.values()))}")
    return program, answer


def _pieces(text: str, ended: bool) -> Iterator[_Piece]:
    """Yield what may be a program: the frames if there are any, and in each, or in the reply, what is fenced."""
    frames = [_Piece(framed, True) for framed in _tagged("program", text, ended)]
    for block in frames or [_Piece(text, False)]:
        fenced = [_Piece(match["code"], bool(match["end"])) for match in _FENCED.finditer(block.code)]
        yield from fenced or [block]


def _compute(code: str) -> Computed:
    """Compute a piece of code, as it is or with one of its functions set in order."""
    code = _ESCAPE.sub("", code).translate(_TYPOGRAPHY)
    try:
        return compute(code)
    except ProgramError as error:
        fault = error
    for function in _functions(code):
        try:
            return compute(function)
        except ProgramError as error:
            # The fault of what nearly is a program says more than that of what is not one at all.
            if fault.verdict is Verdict.no_program:
                fault = error
    raise fault


def _functions(code: str) -> Iterator[str]:
    """Yield the functions in a text, one at a time, each with its body indented under it and without its docstring."""
    for match in islice(_FUNCTION.finditer(code), _MOST_PIECES):
        head, _, rest = textwrap.dedent(code[match.start() :]).partition("\n")
        lines = _DOCSTRING.sub("", f"\n{rest}").split("\n")
        yield "\n".join([head, *_body(lines)])


def _body(lines: list[str]) -> Iterator[str]:
    """Yield the lines of a function's body, all or the last of which may stand at the margin, up to its ``return``."""
    first = next((line for line in lines if line.strip()), "")
    at_margin = not first[:1].isspace()
    for line in lines:
        returns = line.startswith(("return ", "return("))
        if line[:1].isspace() and not at_margin:
            yield line
        elif not line or at_margin or returns:
            yield f"    {line}"
        else:
            return
        if returns:
            return
