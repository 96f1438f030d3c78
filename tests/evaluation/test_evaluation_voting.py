"""Several replies to one question: the majority's answer, and the shares that it and any reply solve."""

from __future__ import annotations

import pytest

from fdd_edge.evaluation import Summary, Votes, majorities, majority_of, samples_of, score, summarize, wilson
from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem

Answers = list[float | None]


def replies(name: str, answers: Answers) -> list[Completion]:
    """Return the replies to a problem; one without an answer did not run."""
    texts = [f"answer = {answer}" for answer in answers]
    return [
        Completion(name, k, text, text, answer, Verdict.error if answer is None else None, 9, 5, "0" * 16)
        for k, (text, answer) in enumerate(zip(texts, answers, strict=True))
    ]


def problem(name: str, question: str | None = None) -> Problem:
    """Return a problem whose answer is 7."""
    return Problem(name, question or f"How many are {name}?", 7, "test")


def summary_of(answers: dict[str, Answers], problems: list[Problem] | None = None) -> Summary:
    """Return the summary of the replies to problems whose answers are all 7."""
    by_id = {p.id: p for p in problems or [problem(name) for name in answers]}
    completions = score([reply for name, own in answers.items() for reply in replies(name, own)], by_id)
    return summarize(completions, by_id)


def votes_of(answers: dict[str, Answers], problems: list[Problem] | None = None) -> Votes:
    """Return the votes in that summary."""
    votes = summary_of(answers, problems).votes
    assert votes is not None
    return votes


def test_the_majority_is_the_most_frequent_answer() -> None:
    won = majority_of(replies("a", [3, 7, None, 7, 5]))
    assert won is not None
    assert (won.reply.answer, won.reply.sample, won.agreed) == (7, 1, 2)


def test_of_equally_frequent_answers_the_first_wins() -> None:
    won = majority_of(replies("a", [3, 7, 7, 3]))
    assert won is not None
    assert (won.reply.answer, won.agreed) == (3, 2)


def test_answers_that_count_as_the_same_share_their_votes() -> None:
    won = majority_of(replies("a", [2, 0.1 + 0.2, 0.3]))
    assert won is not None
    assert (won.reply.sample, won.agreed) == (1, 2)


def test_replies_without_an_answer_have_no_vote() -> None:
    assert majority_of(replies("a", [None, None])) is None
    won = majority_of(replies("a", [None, None, 7]))
    assert won is not None
    assert won.agreed == 1


def test_a_majority_stands_as_one_reply_to_its_problem() -> None:
    asked = [*replies("a", [3, 7, 7]), *replies("b", [None, None, None]), *replies("c", [None, 5, 7])]
    assert [(one.problem_id, one.sample, one.answer) for one in majorities(asked)] == [
        ("a", 1, 7),
        ("b", 0, None),
        ("c", 1, 5),
    ]
    once = [*replies("a", [3]), *replies("b", [None])]
    assert majorities(once) == once
    assert [samples_of(asked), samples_of(once), samples_of([])] == [3, 1, 0]


def test_the_votes_count_problems() -> None:
    votes = votes_of({"a": [7, 7, 3], "b": [3, 7, 3], "c": [None, None, None], "d": [7, None, None]})
    assert (votes.samples, votes.problems) == (3, 4)
    assert (votes.majority.correct, votes.majority.share, votes.majority.ci95) == (2, 0.5, wilson(2, 4))
    assert (votes.any.correct, votes.any.share, votes.any.ci95) == (3, 0.75, wilson(3, 4))


def test_a_question_under_two_ids_does_not_narrow_the_interval() -> None:
    same = [problem("a", "How many?"), problem("b", "How  MANY?"), problem("c")]
    votes = votes_of({"a": [7, 7], "b": [7, 7], "c": [3, 3]}, same)
    assert votes.majority.correct == 2
    low, high = votes.majority.ci95
    narrow_low, narrow_high = wilson(2, 3)
    assert high - low > narrow_high - narrow_low


def test_one_reply_per_problem_has_no_votes() -> None:
    summary = summary_of({"a": [7], "b": [3]})
    assert summary.votes is None
    assert "votes" not in summary.to_row()


@pytest.mark.parametrize("answers", [{"a": [7.0, 3.0]}, {"a": [7.0]}])
def test_a_summary_is_read_back(answers: dict[str, Answers]) -> None:
    summary = summary_of(answers)
    assert Summary.from_row(summary.to_row()) == summary
