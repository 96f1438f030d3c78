"""Several replies to one question: the answer that most of them give, and whether any of them is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from fdd_edge.evaluation.wording import same_question
from fdd_edge.intervals import Interval, clustered_wilson
from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem, same_answer
from fdd_edge.runs.fingerprint import Json

__all__ = ["Majority", "Share", "Votes", "count_votes", "majorities", "majority_of", "samples_of"]

Reply = TypeVar("Reply", bound=Completion)


class Majority(NamedTuple, Generic[Reply]):
    """What most replies to a question say.

    Attributes:
        reply: The first of them.
        agreed: How many give its answer.
    """

    reply: Reply
    agreed: int


class Share(NamedTuple):
    """How many problems are solved, in one of the ways to count.

    Attributes:
        correct: Number of problems.
        share: Of all problems.
        ci95: Interval, over problems; the same question under several ids is one.
    """

    correct: int
    share: float
    ci95: Interval

    def to_row(self) -> dict[str, Json]:
        """Return the JSON object."""
        return self._asdict() | {"ci95": list(self.ci95)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Share:
        """Read the JSON object back."""
        return cls(row["correct"], row["share"], Interval(*row["ci95"]))


class Votes(NamedTuple):
    """The result of several replies per problem.

    Attributes:
        samples: Replies per problem.
        problems: Number of problems.
        majority: Problems whose most frequent answer is right, see ``majority_of``: majority@k.
        any: Problems with at least one right reply: pass@k.
    """

    samples: int
    problems: int
    majority: Share
    any: Share

    def to_row(self) -> dict[str, Json]:
        """Return the JSON object."""
        return self._asdict() | {"majority": self.majority.to_row(), "any": self.any.to_row()}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Votes:
        """Read the JSON object back."""
        majority, any_right = Share.from_row(row["majority"]), Share.from_row(row["any"])
        return cls(row["samples"], row["problems"], majority, any_right)


def majority_of(replies: Sequence[Reply]) -> Majority[Reply] | None:
    """Return the most frequent answer of the replies to one question; of equally frequent ones, the first.

    A reply without an answer has no vote; None if none has one. Answers are the same as for ``same_answer``.
    """
    groups: list[list[Reply]] = []
    for reply in replies:
        if reply.answer is None:
            continue
        for group in groups:
            assert group[0].answer is not None
            if same_answer(reply.answer, group[0].answer):
                group.append(reply)
                break
        else:
            groups.append([reply])
    if not groups:
        return None
    largest = max(groups, key=len)  # the first of equal ones
    return Majority(largest[0], len(largest))


def majorities(replies: Sequence[Reply]) -> list[Reply]:
    """Return one reply for each problem: the first of its majority, or the first of all if none has an answer.

    Args:
        replies: Of one problem in the order of their samples.
    """
    by_problem = _by_problem(replies)
    won = {name: majority_of(own) for name, own in by_problem.items()}
    return [own[0] if (found := won[name]) is None else found.reply for name, own in by_problem.items()]


def samples_of(replies: Sequence[Completion]) -> int:
    """Return how many replies a problem has, at most; 0 if there are none."""
    return max(map(len, _by_problem(replies).values()), default=0)


def _by_problem(replies: Sequence[Reply]) -> dict[str, list[Reply]]:
    found: dict[str, list[Reply]] = {}
    for reply in replies:
        found.setdefault(reply.problem_id, []).append(reply)
    return found


def count_votes(completions: Sequence[Completion], problems: Mapping[str, Problem]) -> Votes | None:
    """Return what the votes of scored completions come to; None if no problem has more than one reply.

    Args:
        completions: The completions, of one problem in the order of their samples.
        problems: Their problems by id.
    """
    samples = samples_of(completions)
    if samples < 2:
        return None
    replies = _by_problem(completions)
    questions = {name: same_question(problems[name].question) for name in replies}

    def share(solved: Mapping[str, bool]) -> Share:
        by_question: dict[str, list[bool]] = {}
        for name, right in solved.items():
            by_question.setdefault(questions[name], []).append(right)
        n = sum(solved.values())
        return Share(n, n / len(solved), clustered_wilson([(sum(own), len(own)) for own in by_question.values()]))

    voted = {name: majority_of(own) for name, own in replies.items()}
    by_majority = {name: won is not None and _is_right(won.reply) for name, won in voted.items()}
    by_any = {name: any(_is_right(reply) for reply in own) for name, own in replies.items()}
    return Votes(samples, len(replies), share(by_majority), share(by_any))


def _is_right(reply: Completion) -> bool:
    return reply.verdict is Verdict.correct
