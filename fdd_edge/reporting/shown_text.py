"""Texts of a run as a report shows them: without secrets, without control characters, and none without end."""

from __future__ import annotations

from fdd_edge.reporting.private_text import without_secrets
from fdd_edge.visible import visible

__all__ = ["LONGEST_NAME", "cut", "shown"]

LONGEST_NAME = 200
"""Characters of a name, or of a cell of a table."""

_LONGEST = 20_000
"""Of any text: a config or a whole finding fits."""


def shown(text: str) -> str:
    """Return a text that may be shown to anybody; every text of a report is one."""
    return visible(cut(without_secrets(text), _LONGEST))


def cut(text: str, longest: int = LONGEST_NAME) -> str:
    """Return a text, or its beginning if it is longer; what is left out is said of a text, not of a name."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}…" if longest <= LONGEST_NAME else _said(text, longest)


def _said(text: str, longest: int) -> str:
    return f"{text[:longest]} … ({len(text) - longest:,} more characters)"
