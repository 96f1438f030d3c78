r"""Read ``\boxed{}``, with what stands around it and belongs to its number."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._number_reader import find_numbers
from ._phrase import Reading, read_phrase
from ._plain_text import plain_text

__all__ = ["boxed_numbers", "is_whole_box"]

_BOX = re.compile(r"\\f?box(?:ed)?\b\s*(?:\{|(?P<bare>-?[0-9][0-9.,]*(?<![.,])))|\\boxed(?P<digit>[0-9])")
_MAX_BOX = 200
"""Characters of a box; a longer one holds more than a number."""
_NEAR = 60
"""Characters around a box that may belong to its number."""
_ALONE = re.compile(r"[\s$]*[-+]?[$£€]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?[\s$]*")
_SEPARATE = re.compile(r"[ $]*\s[ $]*[0-9]")
_INSIDE = re.compile(r"(?:\\(?!f?box(?:ed)?)[A-Za-z]+\s*\{|[0-9.][,.]?|[/^_√]|[0-9)}A-Za-z]\s*[×*])[\s$]*\Z")
_COMPUTED = re.compile(r"[ $]*[-+×*÷(]\s?[0-9(√π]|(?:st|nd|rd|th)\b")
_DASH = re.compile(r"(?P<lead>.*?)\s*-(?P<gap>\s*)[$£€]?\Z")


def boxed_numbers(text: str) -> Iterator[Reading]:
    """Yield what the boxes of a text from ``plain_text`` give, last first; without those that lack a number."""
    for match in reversed(list(_BOX.finditer(text))):
        if bare := match["bare"] or match["digit"]:
            yield from _with_surroundings(text, match.start(), bare, match.end())
            continue
        depth = 1
        for end in range(match.end(), min(len(text), match.end() + _MAX_BOX)):
            depth += (text[end] == "{") - (text[end] == "}")
            if not depth:
                yield from _with_surroundings(text, match.start(), text[match.end() : end], end + 1)
                break


def is_whole_box(text: str, start: int, end: int) -> bool:
    r"""Return whether the box at a place of a text is the whole number: not ``-\boxed{5}`` or ``\boxed{5} million``."""
    before = plain_text(text[max(0, start - _NEAR) : start]).rpartition("\n")[2]
    behind = plain_text(text[end : end + _NEAR]).partition("\n")[0]
    if _has_minus(before) or _INSIDE.search(before):
        return False
    if _SEPARATE.match(behind):
        return True
    if _COMPUTED.match(behind) and "=" not in behind:
        return False
    currency = re.search(r"[$£€₹]\s*\Z", before.removesuffix("$") if before.count("$") % 2 else before)
    number = next(find_numbers(f"{currency[0] if currency else ''}7{re.sub('^[ $]+', ' ', behind)}"), None)
    return number is not None and number.value == 7  # any number shows what the text behind it does to it


def _has_minus(before: str) -> bool:
    """Return whether the dash before a box is its sign, and subtracts it from nothing."""
    dash = _DASH.fullmatch(before)
    return dash is not None and not re.search(r"\w\Z" if dash["gap"] else r"[0-9)}]\Z", dash["lead"])


def _with_surroundings(text: str, start: int, content: str, end: int) -> Iterator[Reading]:
    r"""Read a box with what belongs to its number: ``-\boxed{5}``, ``\boxed{5} million``, ``\boxed{3}/4``."""
    if not _ALONE.fullmatch(content):
        reading = read_phrase(content, is_math=True, takes_a_sign=True)
        if reading is not None:
            yield reading
        return
    before = text[max(0, start - _NEAR) : start].rpartition("\n")[2]
    behind = text[end : end + _NEAR].partition("\n")[0]
    if _SEPARATE.match(behind):
        behind = ""
    number = content.strip(" $")
    joined = f"{before}{number}{re.sub('^[ $]+', ' ', behind)}"
    found = next((n for n in find_numbers(joined) if 0 <= n.start - len(before) < len(number)), None)
    yield Reading(None if found is None or _INSIDE.search(before) else found.value)
