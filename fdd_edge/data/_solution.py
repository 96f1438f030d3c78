"""Finds the answer that a worked solution marks as such; a number that merely comes last is not one."""

from __future__ import annotations

import re

from fdd_edge.data._gold import parse_gold
from fdd_edge.ondevice.language import is_whole_box

__all__ = ["UNMARKED", "answer_in", "answer_text", "final_answer", "stated_answer"]

UNMARKED = "no answer is marked by \\boxed{}, #### or 'answer is'"
"""Why an item without a marked answer is skipped."""

_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?P<bare>[-+\w.,%$]+)?")
_FINAL = "####"
_ANSWER_IS = re.compile(r"\banswer\s+is\b\s*:?\s*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=\S)(?:[.?]|(?<!\d)!)(?=\s|$)")  # "5!" may be a factorial
_BETWEEN_ANSWERS = re.compile(r"[\s$,;]*(?:\\text\{)?\s*(?:and|or)?\s*\}?[\s$,;]*")

_THOUSANDS = re.compile(r"(?<=\d)(?:\{,\}|,?\\!|\\,|,)(?=\d{3}(?!\d))")
# A longer text is not a number, and need not be cleaned.
_MAX_LENGTH = 400
_MAX_GAP = 40
_NEAR = 10
"""Characters around a box that are shown if they belong to its number."""

_DEGREES = re.compile(r"\^\s*\{?\s*\\circ\s*\}?|\\degree|°")
_TEXT = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox|rm)\s*\{([^{}]*)\}(?:\^\{?[23]\}?)?")
# Not units: ordinals, and letters that stand for a number even if they are upright.
_NO_UNIT = re.compile(r"st|nd|rd|th|pi|[einxyz]")
_SPACE = re.compile(r"\\[ ,;:!]|~|\\quad")
_MARKUP = re.compile(r"\\[()\[\]]|\*\*|__|`")
# In math, letters after a number are variables, "2 x" and "3 pi", unless they are a unit.
_VARIABLE = re.compile(r"(?<=\d)\s+(?!(?:cm|mm|km|kg|mg|ml|mL|lb|oz|ft|in|mi|yd|hr)\b)(?=[A-Za-z]{1,2}\b)")
_LETTER = re.compile(r"(?<=\d) (?=[a-zA-Z](?!\w))(?![gmLlhsNJWVACF]\b)")


def final_answer(solution: str) -> str | None:
    r"""Return the answer that a solution marks: its last ``\boxed{}``, else after the last ``####`` or "answer is".

    Two boxes with only ``and`` or a comma between them are one answer of several numbers: ``2; -2``.

    Returns:
        The answer as ``answer_text`` gives it; None if none is marked.
    """
    boxed = _boxed(solution)
    if boxed is None and _FINAL in solution:
        boxed = _first_line(solution.rpartition(_FINAL)[2])
    return stated_answer(solution) if boxed is None else answer_text(boxed)


def stated_answer(solution: str) -> str | None:
    """Return what follows the last "answer is", up to the end of the sentence or line; None if nothing does."""
    *_, rest = _ANSWER_IS.split(solution)
    if rest == solution:
        return None
    line = _first_line(rest)
    return answer_text(_SENTENCE_END.split(line)[0])


def answer_text(answer: str) -> str:
    r"""Return an answer without the markup of LaTeX and Markdown if that makes it a number, else as it was written.

    ``\$1{,}200``, ``50\%``, ``30^\circ`` and ``5\text{ cm}^2`` are numbers; ``\frac{1}{2}``, ``2 x`` and ``1011_2`` are
    not.
    """
    if len(answer) > _MAX_LENGTH:
        return answer.strip()
    plain = _VARIABLE.sub("", _MARKUP.sub("", answer))
    plain = _DEGREES.sub(" ", _TEXT.sub(_content, _THOUSANDS.sub(",", plain)))
    plain = _SPACE.sub(" ", plain.replace("\\$", "$").replace("\\%", "%")).strip().rstrip(".").strip()
    if "\\ " in answer or "~" in answer:
        plain = _LETTER.sub("", plain)
    shown = answer.strip()
    # "2x" rather than "2 x", which would count as two of something.
    return shown if parse_gold(plain) is None and parse_gold(shown) is None else plain


def answer_in(value: object) -> object:
    """Return the answer that a column of answers holds: its value, or what that marks if it is a worked solution."""
    if not isinstance(value, str) or parse_gold(value) is not None:
        return value
    marked = final_answer(value)
    return answer_text(value) if marked is None else marked


def _content(text: re.Match[str]) -> str:
    if text[1].strip() == "m":
        return " meters"  # in prose, "5 m" may mean five million
    return text[1] if _NO_UNIT.fullmatch(text[1].strip()) else f" {text[1]}"


def _boxed(solution: str) -> str | None:
    closings = _closing_braces(solution)
    boxes: list[tuple[int, int, str]] = []
    for match in _BOX.finditer(solution):
        if match["bare"] is not None:
            boxes.append((match.start(), match.end(), match["bare"]))
        elif (end := closings.get(match.end())) is not None:
            boxes.append((match.start(), end + 1, solution[match.end() + 1 : end]))
    if not boxes:
        return None
    start, end, content = boxes[-1]
    answers = [content if is_whole_box(solution, start, end) else solution[max(0, start - _NEAR) : end + _NEAR]]
    for (_, end, content), (start, _, _) in zip(reversed(boxes[:-1]), reversed(boxes[1:]), strict=True):
        if start - end > _MAX_GAP or not _BETWEEN_ANSWERS.fullmatch(solution[end:start]):
            break
        answers.insert(0, content)
    return "; ".join(dict.fromkeys(answers))


def _closing_braces(text: str) -> dict[int, int]:
    """Return where each brace is closed, by where it opens; those that stay open are left out."""
    closings: dict[int, int] = {}
    opened: list[int] = []
    for match in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        if match[0] == "{":
            opened.append(match.start())
        elif match[0] == "}" and opened:
            closings[opened.pop()] = match.start()
    return closings


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.split("\n") if line.strip()), "")
