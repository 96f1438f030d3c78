"""Checks the places of a prompt file: ``{question}`` is filled, and what other tools would fill is pointed out."""

from __future__ import annotations

import re
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.ondevice.prompt import PLACEHOLDER
from fdd_edge.progress import warn

__all__ = ["check_places"]

_WORD_IN_BRACES = r"\{+ *[A-Za-z_]\w* *\}+"

_MISSPELT = re.compile(
    r"[$#%@]\{question\}"  # a shell, Ruby, ...
    r"|\{\{[-~&]? *question *(?:\|[^{}]*)?[-~]?\}\}"  # Jinja, Handlebars
    r"|\{ *question *[!:.|\[][^{}]*\}"  # str.format's conversions and formats
    r"|\{ +question *\}|\{question +\}"
    r"|\{\{+question\}\}+"
)
"""The place of the question as other tools write it: it would not be filled, or leave signs around the question."""

_DIRECTIVE = re.compile(
    r"\{%.*?%\}|<%.*?%>|\{\{.*?\}\}"  # Jinja, ERB, Handlebars
    r"|\{[A-Za-z_]\w*(?:![rsa]|:[<>^=]?\d+)[^{}]*\}"  # str.format
    rf"|{_WORD_IN_BRACES}",
    re.DOTALL,
)
"""What other tools would run or fill. Braces of LaTeX and JSON, such as ``\\frac{1}{2}`` and ``{"a": 1}``, are none."""

_OTHER_PLACE = re.compile(
    r"\$\{?question\}?|%\(question\)s|<+/?question>+|\[+question\]+|@question\b|__question__|\bQUESTION\b"
    r"|%s|\{\d*\}",
    re.IGNORECASE,
)
"""Where a prompt without ``{question}`` may want it."""

_LONGEST_SHOWN = 40


def check_places(text: str, path: Path) -> None:
    """Check that a prompt has a place for the question, and no other that somebody may expect to be filled.

    Raises:
        FddError: There is no ``{question}``, or it is written as other tools write it.
    """
    if "\0" in text:
        raise FddError(f"{path} is not a prompt: it is UTF-16 text without a byte order mark; save it as UTF-8.")
    if misspelt := _MISSPELT.search(text):
        raise FddError(f"{path} contains {misspelt[0]}; write {PLACEHOLDER}, with one pair of braces and nothing else.")
    others = [found[0] for found in _DIRECTIVE.finditer(text) if found[0] != PLACEHOLDER]
    if PLACEHOLDER not in text:
        place = _OTHER_PLACE.search(text)
        instead = others[0] if others else place[0] if place else None
        found = f"; it contains {_short(instead)} instead. Write {PLACEHOLDER}" if instead else ""
        raise FddError(f"{path} is not a prompt: it does not contain {PLACEHOLDER}{found}.")
    if others:
        warn(f"{path} also contains {_short(others[0])}, which is not replaced: the model reads it as it is.")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[: _LONGEST_SHOWN - 3]}..."
