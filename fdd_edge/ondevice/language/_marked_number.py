r"""Find the number that free-form text marks as its answer: behind ``####``, in ``\boxed{}``, or after "answer is"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._box import boxed_numbers
from ._last_number import last_number
from ._limits import MAX_CHARS
from ._phrase import Reading, gives_at_once, has_conclusion, read_phrase
from ._plain_text import plain_text

__all__ = ["marked_number"]

# GSM8K's mark stands on a line with the number; a heading of Markdown has further words.
_HASHES = re.compile(r"####+[ \t]*(?P<answer>(?:(?!####)[^\n])*)")
_HEADING = re.compile(r"[\s*_]*(?:[0-9]{1,2}(?:[.):]\s*[^\W\d]|\s+[A-Z]\w*\s+\w)|[A-Z][a-z]+ +[A-Z])")
_MAX_BODY = 2_000
"""Characters behind a mark in which its answer is looked for."""
_TO = r"(?:\s+(?:to|for|of)\b[^\n.:=]{0,60}?)?"
_ANSWER = re.compile(
    rf"""(?:(?<!/)\banswer(?:\*\*|__)?{_TO}\s*(?:(?:is|(?:would|will|should|must)\s+be|equals|comes\s+(?:out\s+)?to)\b)
       | \banswers?(?:\*\*|__)?\s*(?:are\b|:) | (?<!/)\banswer(?:\*\*|__)?\s*[=→]
       | (?:^|\n)[ \t#*_]*(?:final\s+)?answer[*_]*[ \t]*\n | (?:^|\n)[ \t#*_]*answer[ \t]+(?=[$\d*-])
       | \b(?:Antwort|respuesta|réponse|risposta|resposta)\b[^\n.:=]{{0,40}}?\s*(?:\b(?:ist|lautet|es|est|è|é)\b|:)
       | \bОтвет(?:\s+на[^\n.:]{{0,40}})?\s*[:—–-] | \bJibu\s+(?:ni\b|:)
       | (?:答案|答え|答)\s*(?:是|为|為|は|[:：]) | คำตอบ(?:คือ|\s*:) | উত্তর\s*(?:হল|হলো|:) | సమాధానం\s*:? | उत्तर\s*(?:है|:)
       )\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_NEXT = re.compile(r"\n[ \t]*(?:\*\*)?(?:Question|Problem|Q)\b[^\n]{0,10}?:", re.IGNORECASE)
_SENTENCE = re.compile(
    r"(?<!\bapprox)(?<!\bNo)(?<!\bRs)(?<!\bMr)(?<!\bMrs)(?<!\bDr)(?<!\bca)(?<!\bvs)(?:[.!?]+(?=[\s*\"')]|\Z)|\n+)"
)
_LIST = re.compile(r"\s*1[.)]\s+[^\n]*\n\s*2[.)]\s")
_DOTTED = re.compile(r"[^\n0-9]*[1-9][0-9]{0,2}\.[0-9]{3}(?![0-9]|[.,][0-9])")
_DENIAL = re.compile(r"\banswer\s+(?:is|was)(?:\s+not\b|n't\b)[^\n.!?]*", re.IGNORECASE)


def marked_number(text: str) -> int | float | None:
    r"""Return the number that a text marks as its answer; without a mark, its last number.

    Marks are, in this order, ``#### 72`` on a line of its own, ``\boxed{72}`` and "the answer is 72" or "Answer: 72",
    also in other languages; of several marks of one kind the last counts. A fraction that is marked has its value, 0.75
    for ``3/4``.

    Returns:
        None if there is no number, or if a value cannot be told: of ``2\sqrt{3}``, "3 or 4", "300 K".
    """
    text = plain_text(text[-MAX_CHARS:])
    for readings in (_after_hashes, boxed_numbers, _after_words):
        last = next(readings(text), None)
        if last is not None:
            return last.value
    return last_number(_DENIAL.sub("", text))


def _after_hashes(text: str) -> Iterator[Reading]:
    for match in reversed(list(_HASHES.finditer(text))):
        answer = match["answer"]
        if gives_at_once(answer) and not _HEADING.match(answer):
            reading = read_phrase(answer, takes_a_sign=True)
            if reading is not None:
                yield reading


def _after_words(text: str) -> Iterator[Reading]:
    end = len(text)
    for match in reversed(list(_ANSWER.finditer(text))):
        body, end = _NEXT.split(text[match.end() : min(end, match.end() + _MAX_BODY)], maxsplit=1)[0], match.start()
        is_english = "answer" in match.group().lower()
        if not is_english and _DOTTED.match(body):
            yield Reading(None)  # 1.234 is a thousand in German and Spanish
        elif (reading := _read_body(body, is_heading="\n" in match.group().lstrip())) is not None:
            yield reading


def _read_body(body: str, *, is_heading: bool) -> Reading | None:
    """Read what follows a mark: a number with its reasons, or a worked text that ends in one."""
    first, *_ = [*(sentence for sentence in _SENTENCE.split(body) if sentence.strip(" *_#-")), ""]
    is_list = _LIST.match(body) is not None
    reading = read_phrase(first)
    if reading is None or (gives_at_once(first) and not is_list):
        return reading
    worked = body if is_heading or is_list else body.partition("\n\n")[0]
    sentences = [sentence for sentence in _SENTENCE.split(worked) if read_phrase(sentence) is not None]
    concluding = [sentence for sentence in sentences if has_conclusion(sentence)]
    if concluding:
        return read_phrase(concluding[-1])
    readings = {read_phrase(sentence) for sentence in sentences}
    return readings.pop() if len(readings) == 1 else Reading(None)
