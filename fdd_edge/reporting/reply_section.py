"""A dozen replies of every verdict: question beside program beside answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fdd_edge.evaluation import ScoredReply
from fdd_edge.ondevice.verdicts import Verdict, format_number
from fdd_edge.reporting.page_parts import Replies, Reply, Section
from fdd_edge.reporting.run_facts import RunFacts
from fdd_edge.reporting.shown_numbers import counted, percent
from fdd_edge.reporting.shown_text import cut

__all__ = ["replies"]

_WORDS = {
    Verdict.correct: "the right answer",
    Verdict.wrong: "a program that ran, with a wrong answer",
    Verdict.no_program: "no program",
    Verdict.forbidden: "something outside the language",
    Verdict.error: "failed while running",
    Verdict.limit: "too long, or too large",
    Verdict.unfinished: "cut at the token limit",
}

_LONGEST = 1200
"""Characters that are shown of a text: a reply that repeats itself may have thousands."""


def replies(run: RunFacts, most: int) -> Section:
    """Return the section of replies.

    Args:
        run: The run.
        most: How many of each verdict are shown.
    """
    asked = [(one.dataset, reply) for one in run.replies for reply in one.replies()]
    parts, counts = [], {}
    for verdict in Verdict:
        own = [pair for pair in asked if pair[1].verdict is verdict]
        counts[verdict] = len(own)
        shown = list(_spread(own, most))
        if shown:
            some = f", {len(shown)} of them below" if len(shown) < len(own) else ""
            title = f"{verdict}: {_WORDS[verdict]} ({counted(len(own), 'reply', 'replies')}{some})"
            parts.append(Replies(title, [_shown(*pair) for pair in shown]))
    right, total = counts[Verdict.correct], len(asked)
    usual = max((verdict for verdict in Verdict if verdict is not Verdict.correct), key=lambda verdict: counts[verdict])
    finding = f"{right:,} of {counted(total, 'reply', 'replies')} ({percent(right / max(total, 1))}) are right"
    finding += f"; the most frequent verdict of the others is {usual} ({counts[usual]:,})." if counts[usual] else "."
    *sets, last = (
        one.dataset + (" (the problems that it labelled)" if one.is_labelling else "") for one in run.replies
    )
    on = f"{', '.join(sets)} and {last}" if sets else last
    finding += f" These are {run.judge}’s replies in round {run.shown.number} on {on}"
    finding += ", evenly spread over each verdict." if most else "; none is shown, to keep this report small."
    return Section("replies", "Replies", finding, parts)


def _spread(own: Sequence[tuple[str, ScoredReply]], most: int) -> Iterator[tuple[str, ScoredReply]]:
    """Yield a few, evenly spread: the first ones of a file are often alike."""
    n = min(most, len(own))
    return (own[number * len(own) // n] for number in range(n))


def _shown(dataset: str, reply: ScoredReply) -> Reply:
    return Reply(
        name=f"{dataset}, {cut(reply.problem_id)}" + (f", sample {reply.sample}" if reply.sample else ""),
        question=cut(reply.question or "not stored: an earlier version of fdd-edge wrote this", _LONGEST),
        program=cut(reply.text.strip() if reply.program is None else reply.program, _LONGEST),
        is_program=reply.program is not None,
        answer=cut(reply.explained(), _LONGEST),
        expected="–" if reply.gold is None else format_number(reply.gold),
    )
