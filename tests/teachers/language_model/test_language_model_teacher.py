"""A language model as a teacher: what it is asked, and what is made of its replies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fdd_edge.records import Problem
from fdd_edge.teachers import Declined, Draft, Rationale
from fdd_edge.teachers.language_model._calls import Answered, CallFault, Purpose, Request
from fdd_edge.teachers.language_model.model_teacher import LanguageModelTeacher
from fdd_edge.teachers.language_model.teacher_prompts import read_prompts

PARENT = Problem(
    "p1", "Ana has 3 pens and buys 2. How many has she?", 5, "set", program="answer = 3 + 2", origin="seed", n_ops=1
)
NEW = (
    "<question>\nBen has 4 cups,\nbreaks 1 and buys 6. How many has he?\n</question>\n"
    "<program>\nanswer = 4 - 1 + 6\n</program>"
)


class Scripted:
    """Answers by a function of the request."""

    def __init__(self, answer: Callable[[Request], str | Answered | CallFault], earlier: Mapping[str, int]) -> None:
        self.answer, self.earlier = answer, earlier
        self.requests: list[Request] = []

    async def complete(self, requests: Sequence[Request]) -> list[Answered | CallFault]:
        self.requests += requests
        answers = [self.answer(request) for request in requests]
        return [Answered(a, "stop", None, "model-2026", 0.1) if isinstance(a, str) else a for a in answers]

    async def draws_so_far(self, purpose: Purpose, problem_ids: Sequence[str]) -> Mapping[str, int]:
        return self.earlier


def teacher(
    answer: Callable[[Request], str | Answered | CallFault], earlier: Mapping[str, int] | None = None, **options: Any
) -> tuple[LanguageModelTeacher, Scripted]:
    scripted = Scripted(answer, earlier or {})

    @asynccontextmanager
    async def opened() -> AsyncIterator[Scripted]:
        yield scripted

    def make_body(messages: Sequence[Mapping[str, str]]) -> Mapping[str, Any]:
        return {"model": "m", "messages": list(messages)}

    return LanguageModelTeacher("mini", opened, make_body, read_prompts(), **options), scripted


def only(written: Sequence[list[Draft] | Declined]) -> Draft:
    (drafts,) = written
    assert isinstance(drafts, list) and len(drafts) == 1
    return drafts[0]


def text_of(request: Request) -> str:
    return str(request.body["messages"][-1]["content"])


def test_a_rationale_is_asked_for_by_the_question_alone() -> None:
    mini, scripted = teacher(lambda request: "<program>\nanswer = 3 + 2\n</program>")
    (solution,) = asyncio.run(mini.rationale([PARENT]))
    assert isinstance(solution, Rationale)
    assert (solution.program, solution.notes["model"]) == ("answer = 3 + 2", "model-2026")
    assert PARENT.question in text_of(scripted.requests[0])
    assert "answer = 3 + 2" not in text_of(scripted.requests[0])


def test_the_first_draw_that_computes_the_answer_is_the_rationale() -> None:
    draws = ["no program at all", "<program>answer = 3 * 2</program>", "<program>answer = 2 + 3</program>"]
    mini, _ = teacher(lambda request: draws[request.draw], draws=3)
    (solution,) = asyncio.run(mini.rationale([PARENT]))
    assert isinstance(solution, Rationale)
    assert (solution.program, solution.notes["agreement"], solution.notes["draws"]) == ("answer = 2 + 3", 0.3333, 3)


def test_why_there_is_no_rationale() -> None:
    cut = Answered("<program>\nanswer = 3", "length", None, "m", 0.1)
    for answers, reason in (
        (["<program>answer = 6</program>", "?"], "wrong_answer"),
        ([cut, cut], "reply_cut"),
        ([CallFault("gave_up", "no reply"), "?"], "gave_up"),
        (["I cannot help with that.", "?"], "no_program"),
    ):
        mini, _ = teacher(lambda request, answers=answers: answers[request.draw], draws=2)  # type: ignore[misc]
        assert asyncio.run(mini.rationale([PARENT])) == [Declined("p1", "mini", reason)]


@pytest.mark.parametrize("ending", ["max_tokens", "MAX_TOKENS", "", "error", "tool_calls"])
def test_half_a_program_is_not_one_whatever_the_endpoint_calls_it(ending: str) -> None:
    """Only `length` was known, and the last line of such a program is missing."""
    cut = Answered("<program>\npens = 3 + 2\nanswer = pens", ending, None, "m", 0.1)
    mini, _ = teacher(lambda request: cut)
    assert asyncio.run(mini.rationale([PARENT])) == [Declined("p1", "mini", "reply_cut")]


@pytest.mark.parametrize("ending", ["stop", "STOP", "eos", "end_turn"])
def test_a_program_that_the_model_ended_is_whole_without_its_tag(ending: str) -> None:
    ended = Answered("<program>\nanswer = 3 + 2\n", ending, None, "m", 0.1)
    mini, _ = teacher(lambda request: ended)
    (solution,) = asyncio.run(mini.rationale([PARENT]))
    assert isinstance(solution, Rationale)


def test_new_problems() -> None:
    mini, scripted = teacher(lambda request: NEW)
    draft = only(asyncio.run(mini.complexify([PARENT], per_problem=1, seed=0)))
    assert draft.question == "Ben has 4 cups, breaks 1 and buys 6. How many has he?"
    assert (draft.program, draft.answer) == ("answer = 4 - 1 + 6", 9)
    assert "one or two more arithmetic operations than the 1 of this one" in text_of(scripted.requests[0])
    assert PARENT.program is not None and PARENT.program in text_of(scripted.requests[0])


def test_a_later_round_asks_for_another_change() -> None:
    first, asked_first = teacher(lambda request: NEW)
    later, asked_later = teacher(lambda request: NEW, earlier={"p1": 2})
    asyncio.run(first.complexify([PARENT], per_problem=2, seed=0))
    asyncio.run(later.complexify([PARENT], per_problem=2, seed=1))
    requests = asked_first.requests + asked_later.requests
    assert [request.draw for request in requests] == [0, 1, 2, 3]
    assert len({text_of(request) for request in requests}) == 4


def test_the_wrong_program_is_shown_if_it_is_known() -> None:
    mini, scripted = teacher(lambda request: NEW, failures={"p1": "answer = 3 - 2"})
    asyncio.run(mini.similar([PARENT], per_problem=1, seed=0))
    asyncio.run(mini.complexify([PARENT], per_problem=1, seed=0))
    assert ["answer = 3 - 2" in text_of(request) for request in scripted.requests] == [True, False]


def test_new_problems_that_another_solution_agrees_with() -> None:
    def answer(request: Request) -> str:
        if request.purpose == "similar":
            return NEW
        return f"<program>answer = {9 if request.draw == right else 1}</program>"

    right = 1
    mini, _ = teacher(answer, draws=3)
    draft = only(asyncio.run(mini.similar([PARENT], per_problem=1, seed=0)))
    assert draft.notes["agreement"] == 0.6667
    right = 5
    assert asyncio.run(mini.similar([PARENT], per_problem=1, seed=0)) == [Declined("p1", "mini", "no_agreement")]


def test_solutions_that_were_cut_or_refused_do_not_disagree() -> None:
    """They were counted as `no_agreement`."""
    cut, refused = Answered("", "length", None, "m", 0.1), CallFault("refused", "no")
    checks: list[tuple[list[str | Answered | CallFault], str]] = [
        ([cut, refused], "reply_cut"),
        ([refused, refused], "refused"),
        ([cut, "<program>answer = 1</program>"], "no_agreement"),
    ]
    for others, reason in checks:

        def answer(
            request: Request, others: Sequence[str | Answered | CallFault] = others
        ) -> str | Answered | CallFault:
            return others[request.draw] if request.purpose == "rationale" else NEW

        mini, _ = teacher(answer, draws=3)
        assert asyncio.run(mini.similar([PARENT], per_problem=1, seed=0)) == [Declined("p1", "mini", reason)]


def test_one_broken_reply_costs_nobody_else() -> None:
    other = Problem("p2", "Cal has 8 caps and loses 3. How many has he?", 5, "set", program="answer = 8 - 3")
    answers = {"p1": "<question>Half</question>", "p2": NEW}
    mini, _ = teacher(lambda request: answers[request.problem_id])
    declined, drafts = asyncio.run(mini.similar([PARENT, other], per_problem=1, seed=0))
    assert declined == Declined("p1", "mini", "no_program")
    assert isinstance(drafts, list) and len(drafts) == 1


def test_a_place_inside_a_question_is_text() -> None:
    odd = Problem("p3", "What is {program} of {question}?", 5, "set", program="answer = 5")
    mini, scripted = teacher(lambda request: NEW)
    asyncio.run(mini.rationale([odd]))
    assert "What is {program} of {question}?" in text_of(scripted.requests[0])
