"""A language model as a teacher: it is asked, its reply is read, and its program must compute a number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from fdd_edge.ondevice.language import ProgramError, count_operations
from fdd_edge.records import Problem, same_answer
from fdd_edge.teachers._interface import Declined, Draft, Rationale
from fdd_edge.teachers.language_model._calls import Answered, CallFault, Completer, Purpose, Request
from fdd_edge.teachers.language_model.reply_reader import REPLY_CUT, Reply, ReplyError, read_reply
from fdd_edge.teachers.language_model.teacher_prompts import TeacherPrompts

__all__ = ["LanguageModelTeacher"]

T = TypeVar("T")

NO_AGREEMENT, WRONG_ANSWER = "no_agreement", "wrong_answer"

_ENDED = frozenset(("stop", "eos", "eos_token", "end", "end_turn", "stop_sequence", "complete", "completed"))
_UNUSABLE = {
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "max_length", "model_length"), REPLY_CUT),
    **dict.fromkeys(("content_filter", "content_filtered", "safety", "refusal"), "refused"),
}
"""The words by which endpoints say, in small letters, that a reply is whole, and that it cannot be used."""


class _Read(NamedTuple):
    """A reply that could be read, and the model that wrote it as the endpoint names it."""

    reply: Reply
    model: str


_Outcome = _Read | str
"""What came of a request; a text is the reason why nothing did."""


@dataclass(frozen=True)
class LanguageModelTeacher:
    """Writes programs and problems by asking a language model.

    Attributes:
        name: The name that the config gives to the model.
        open: Connects to whoever answers, for the time of one call of a method.
        make_body: Makes the body of a request from its messages.
        prompts: What is asked.
        draws: How many independent solutions of a problem there are; those of a new problem include its writer's.
        failures: Wrong programs of the student by problem id, shown with the problem that it failed.
    """

    name: str
    open: Callable[[], AbstractAsyncContextManager[Completer]]
    make_body: Callable[[Sequence[Mapping[str, str]]], Mapping[str, Any]]
    prompts: TeacherPrompts
    draws: int = 1
    failures: Mapping[str, str] = field(default_factory=dict)
    writes_problems: bool = True
    _asked: Counter[tuple[Purpose, str]] = field(default_factory=Counter, init=False, repr=False)
    """Draws of this round so far, by purpose and problem: a problem may be asked about several times."""

    async def rationale(self, problems: Sequence[Problem]) -> list[str | Rationale | Declined]:
        """Return a program for each problem: of the first draw that computes its answer."""
        async with self.open() as completer:
            solutions = await self._solve(completer, problems, self.draws)
        return [self._right_one(problem, tried) for problem, tried in zip(problems, solutions, strict=True)]

    async def complexify(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Return up to ``per_problem`` variations of each problem with one or two more operations."""
        return await self._write("complexify", problems, per_problem)

    async def similar(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Return up to ``per_problem`` problems for each problem that need the same reasoning."""
        return await self._write("similar", problems, per_problem)

    async def _write(
        self, purpose: Purpose, problems: Sequence[Problem], per_problem: int
    ) -> list[list[Draft] | Declined]:
        async with self.open() as completer:
            earlier = await completer.draws_so_far(purpose, [problem.id for problem in problems])
            requests = []
            for problem in problems:
                first = earlier.get(problem.id, 0) + self._asked[purpose, problem.id]
                requests += [self._request(purpose, problem, first + n) for n in range(per_problem)]
            outcomes = [_read(answer, with_question=True) for answer in await completer.complete(requests)]
            drafts = await self._drafts(completer, requests, outcomes)
        self._asked.update({(purpose, problem.id): per_problem for problem in problems})
        return [
            self._written(problem, of_problem)
            for problem, of_problem in zip(problems, _chunks(drafts, per_problem), strict=True)
        ]

    def _request(self, purpose: Purpose, problem: Problem, draw: int) -> Request:
        """Return the request for a new problem; ``draw`` counts those that the run asked for before."""
        messages = self.prompts.messages(
            purpose,
            problem,
            operations=_operations(problem),
            change=self.prompts.change(problem.id, draw) if purpose == "complexify" else "",
            failed=self.failures.get(problem.id) if purpose == "similar" else None,
        )
        return Request(self.make_body(messages), purpose, problem.id, draw)

    async def _drafts(
        self, completer: Completer, requests: Sequence[Request], outcomes: Sequence[_Outcome]
    ) -> list[Draft | str]:
        """Return the new problems, each with how many independent solutions agree with its writer's."""
        new = [
            Problem(
                f"{request.problem_id}/{request.purpose}-{request.draw}", outcome.reply.question or "", 0, self.name
            )
            for request, outcome in zip(requests, outcomes, strict=True)
            if isinstance(outcome, _Read)
        ]
        solutions = iter(await self._solve(completer, new, self.draws - 1))
        return [outcome if isinstance(outcome, str) else self._draft(outcome, next(solutions)) for outcome in outcomes]

    def _draft(self, written: _Read, others: Sequence[_Outcome]) -> Draft | str:
        """Return a new problem, or a reason: no other solution agrees with its writer's, or none could be read."""
        reply = written.reply
        agreeing = _agreeing(others, reply.answer)
        if others and not agreeing:
            reasons = [why for why in others if isinstance(why, str)]
            # Solutions that could not be read do not disagree.
            return NO_AGREEMENT if len(reasons) < len(others) else reasons[0]
        notes = self._notes(written.model, 1 + len(agreeing), 1 + len(others))
        return Draft(reply.question or "", reply.program, reply.answer, notes)

    def _written(self, problem: Problem, drafts: Sequence[Draft | str]) -> list[Draft] | Declined:
        written = [draft for draft in drafts if isinstance(draft, Draft)]
        reasons = [reason for reason in drafts if isinstance(reason, str)]
        return written if written or not reasons else Declined(problem.id, self.name, reasons[0])

    async def _solve(self, completer: Completer, problems: Sequence[Problem], draws: int) -> list[list[_Outcome]]:
        """Ask for solutions of each problem, by its question alone."""
        requests = [
            Request(self.make_body(self.prompts.messages("rationale", problem)), "rationale", problem.id, draw)
            for problem in problems
            for draw in range(draws)
        ]
        outcomes = [_read(answer) for answer in await completer.complete(requests)] if requests else []
        return _chunks(outcomes, draws) if draws else [[] for _ in problems]

    def _right_one(self, problem: Problem, tried: Sequence[_Outcome]) -> Rationale | Declined:
        """Return the first solution that computes a problem's answer, or why there is none."""
        right = _agreeing(tried, problem.answer)
        if right:
            return Rationale(right[0].reply.program, self._notes(right[0].model, len(right), len(tried)))
        reasons = [outcome for outcome in tried if isinstance(outcome, str)]
        return Declined(problem.id, self.name, WRONG_ANSWER if len(reasons) < len(tried) else reasons[0])

    def _notes(self, model: str, agreeing: int, draws: int) -> dict[str, Any]:
        """Return what a problem says about who wrote it."""
        notes = {"model": model, "prompts": self.prompts.fingerprint()[:16]}
        return notes | ({"agreement": round(agreeing / draws, 4), "draws": draws} if draws > 1 else {})


def _read(answer: Answered | CallFault, *, with_question: bool = False) -> _Outcome:
    if isinstance(answer, CallFault):
        return answer.reason
    ending = answer.finish_reason.lower()
    if ending in _UNUSABLE:
        return _UNUSABLE[ending]
    try:
        reply = read_reply(answer.text, with_question=with_question, ended=ending in _ENDED)
        return _Read(reply, answer.model)
    except ReplyError as error:
        return error.reason


def _agreeing(outcomes: Sequence[_Outcome], answer: int | float) -> list[_Read]:
    return [one for one in outcomes if isinstance(one, _Read) and same_answer(one.reply.answer, answer)]


def _operations(problem: Problem) -> int:
    if problem.n_ops is not None:
        return problem.n_ops
    try:
        return count_operations(problem.program or "")
    except ProgramError:
        return 0


def _chunks(items: Sequence[T], size: int) -> list[list[T]]:
    return [list(items[start : start + size]) for start in range(0, len(items), size)]
