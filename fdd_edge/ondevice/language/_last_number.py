"""Find the last number of free-form text, for models that answer in words."""

from __future__ import annotations

from ._limits import MAX_CHARS
from ._number_reader import find_numbers
from ._plain_text import plain_text

__all__ = ["last_number"]

_END = 1_000
"""Characters that are searched before the whole text is; a number in their first half may have begun before them."""


def last_number(text: str) -> int | float | None:
    """Return the last number of a text, or None if it has none or its value cannot be told.

    Thousands separators, also those of LaTeX and of other scripts, a currency sign, a leading minus and a final full
    stop are understood, and so are fractions, powers, and scales such as "5 k" or "2 lakh"; units and percent signs are
    ignored. A dash that lists, separates or subtracts is not a minus. A number too large for a float counts as none. If
    the text is longer than a reply may be, only its end is read.
    """
    plain = plain_text(text[-MAX_CHARS:])
    for end in (plain[-_END:], plain):
        last = None
        for last in find_numbers(end):  # noqa: B007
            pass
        if last is not None and last.start > _END // 2:
            break
    return None if last is None else last.value
