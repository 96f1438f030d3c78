"""Replies that were cut before the model ended them: by the token limit, or because the model's context was full."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import Verdict

__all__ = ["CutReplies", "count_cut", "fills_context"]


@dataclass(frozen=True)
class CutReplies:
    """How many replies were cut; they count as not solved.

    Attributes:
        at_limit: Those that reached the token limit.
        context_full: Those that ended before it, because prompt and reply filled the model's context: a higher limit
            does not help them.
    """

    at_limit: int = 0
    context_full: int = 0

    @property
    def n(self) -> int:
        """All of them."""
        return self.at_limit + self.context_full


def count_cut(replies: Iterable[Completion], max_new_tokens: int | None) -> CutReplies:
    """Count the replies that were cut.

    Args:
        replies: Some of which may be.
        max_new_tokens: The token limit; None if it is not known, as for an earlier version: then it counts as reached.
    """
    cut = [reply for reply in replies if reply.verdict is Verdict.unfinished]
    full = sum(max_new_tokens is not None and fills_context(reply, max_new_tokens) for reply in cut)
    return CutReplies(len(cut) - full, full)


def fills_context(reply: Completion, max_new_tokens: int) -> bool:
    """Return whether a reply was cut before its token limit: prompt and reply filled the model's context."""
    return reply.verdict is Verdict.unfinished and reply.n_tokens < max_new_tokens
