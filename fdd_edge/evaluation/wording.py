"""When two questions are the same one."""

from __future__ import annotations

__all__ = ["same_question"]


def same_question(question: str) -> str:
    """Return a text that is equal for questions that differ only in case and white space."""
    return " ".join(question.casefold().split())
