"""Which replies of two evaluations belong to the same problems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fdd_edge.errors import FddError
from fdd_edge.evaluation import ScoredReply, majorities, same_question, samples_of
from fdd_edge.pipeline.kept_evaluations import KeptEvaluation
from fdd_edge.records import same_answer

__all__ = ["PairedReplies", "SamePair", "pair_replies", "pair_sets"]


class SamePair(NamedTuple):
    """Two evaluations of the same set."""

    first: KeptEvaluation
    second: KeptEvaluation


class PairedReplies(NamedTuple):
    """The replies of two evaluations, put next to each other.

    Attributes:
        both: Pairs of replies to the same problem, in the order of the first; of one problem, by their samples.
        only_first: Number of problems that only the first was asked.
        only_second: Number of problems that only the second was asked.
    """

    both: list[tuple[ScoredReply, ScoredReply]]
    only_first: int
    only_second: int


def pair_sets(
    first: Sequence[KeptEvaluation], second: Sequence[KeptEvaluation], path: Path, other: Path
) -> list[SamePair]:
    """Pair the evaluations of the same sets; if each side has a single set, its name does not matter.

    Raises:
        FddError: There is no such pair, or one side has a set twice.
    """
    for found, where in ((first, path), (second, other)):
        names = [one.dataset for one in found]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise FddError(f"{where} holds several evaluations of {twice!r}; name the folder of one artifact.")
    if len(first) == len(second) == 1:
        return [SamePair(first[0], second[0])]
    by_name = {one.dataset: one for one in second}
    pairs = [SamePair(one, by_name[one.dataset]) for one in first if one.dataset in by_name]
    if not pairs:
        sets = " and ".join(", ".join(one.dataset for one in found) for found in (first, second))
        raise FddError(f"{path} and {other} have no set in common ({sets}); evaluate both on the same problems.")
    return pairs


def pair_replies(pair: SamePair, *, vote: bool = False) -> PairedReplies:
    """Put the replies to the same problems next to each other.

    Args:
        pair: The two evaluations.
        vote: Whether of several replies to a problem, the majority counts as one; otherwise both need as many.

    Raises:
        FddError: There are none, or one id is that of different problems.
    """
    first, second = pair.first.replies(), pair.second.replies()
    if vote:
        both = _paired([(reply, 0) for reply in majorities(first)], [(reply, 0) for reply in majorities(second)])
    else:
        samples, others = (max(1, samples_of(replies)) for replies in (first, second))
        if samples != others:
            counted = "1 reply" if samples == 1 else f"{samples} replies"
            raise FddError(
                f"{pair.first.folder} has {counted} per problem and {pair.second.folder} {others}; "
                "evaluate both with the same --samples."
            )
        both = _paired([(reply, reply.sample) for reply in first], [(reply, reply.sample) for reply in second])
    own, their = {reply.problem_id for reply in first}, {reply.problem_id for reply in second}
    if not both:
        raise FddError(
            f"{pair.first.folder} and {pair.second.folder} have no problem in common; evaluate both on the same file."
        )
    for reply, other in both:
        if not _is_same(reply, other):
            raise FddError(
                f"{pair.first.folder} and {pair.second.folder} do not have the same problems: {reply.problem_id!r} is "
                "another question, or has another answer, in each; evaluate both on the same file."
            )
    return PairedReplies(both, len(own - their), len(their - own))


def _paired(
    first: Sequence[tuple[ScoredReply, int]], second: Sequence[tuple[ScoredReply, int]]
) -> list[tuple[ScoredReply, ScoredReply]]:
    """Pair the replies to the same problem that have the same number, in the order of the first."""
    others = {(reply.problem_id, number): reply for reply, number in second}
    found = ((reply, others.get((reply.problem_id, number))) for reply, number in first)
    return [(reply, other) for reply, other in found if other is not None]


def _is_same(first: ScoredReply, second: ScoredReply) -> bool:
    """Return whether two replies are to the same problem; what an earlier version did not write cannot differ."""
    if None not in (first.question, second.question) and same_question(str(first.question)) != same_question(
        str(second.question)
    ):
        return False
    if first.gold is None or second.gold is None:
        return True
    return same_answer(first.gold, second.gold) and same_answer(second.gold, first.gold)
