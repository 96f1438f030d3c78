"""A model behind an OpenAI-compatible endpoint: every call kept, counted, paid once, and repeated where that helps.

An attempt is written down before it is sent and when it has ended. The attempts of a call go on until there is a reply
or a fault that another attempt would not change; that is the call's result and ends nothing. Only what concerns all
calls ends the work: a key that is wrong, an endpoint that is gone, a budget that is used up. What is in flight then is
waited for and kept.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from fdd_edge.errors import EndpointError, FddError, MissingExtraError
from fdd_edge.progress import progress
from fdd_edge.teachers.language_model._calls import Answered, CallFault, Purpose, Request
from fdd_edge.teachers.language_model._clock import Clock, SystemClock
from fdd_edge.teachers.language_model._concurrency import Concurrency, StoppedError
from fdd_edge.teachers.language_model._faults import AttemptFault
from fdd_edge.teachers.language_model._health import Health
from fdd_edge.teachers.language_model._response import usable
from fdd_edge.teachers.language_model._setup_errors import OF_ALL_CALLS, PASSES_LATER_ON, setup_error
from fdd_edge.teachers.language_model._spending import Budget, Spend
from fdd_edge.teachers.language_model.prices import most_of, price_of
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions
from fdd_edge.teachers.ledger import Ledger, key_of

if TYPE_CHECKING:
    from fdd_edge.teachers.language_model._client import Client

__all__ = ["Endpoint"]

_MOST_FAULTS = 6
"""Attempts of a call that end in faults; those that only met with a limit or with nobody do not count."""

_WRITES = {"rationale": "program", "complexify": "harder problem", "similar": "similar problem"}
"""What a call asks for, by its purpose."""

_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 30.0

Result = Answered | CallFault


class _Call(NamedTuple):
    key: str
    request: Request
    most: Spend


class Endpoint:
    """Answers requests; use it inside ``async with``, in one event loop."""

    def __init__(
        self,
        options: EndpointOptions,
        ledger: Ledger,
        *,
        budget: Budget | None = None,
        clock: Clock | None = None,
        jitter: Random | None = None,
    ) -> None:
        """Describe an endpoint; nothing is opened yet.

        Args:
            options: Where it is and how it is asked.
            ledger: Where attempts and replies are kept; it knows the run and the round.
            budget: What may be spent; None for any amount.
            clock: Time, for tests.
            jitter: Chance in the delays between attempts, for tests.
        """
        self._options = options
        self._ledger = ledger
        self._budget = budget
        self._clock = clock or SystemClock()
        self._jitter = jitter or Random()
        self._quote = price_of(options)
        self._nothing = Spend(0, 0, None if self._quote is None else 0.0)
        self._slots = Concurrency(options.max_concurrency, self._clock)
        # Rows of the ledger are reserved ahead, so that a call's slot is not held for the disk longer than it must be.
        self._begun = asyncio.Semaphore(2 * options.max_concurrency)
        self._health = Health(options.address, self._clock, most_in_flight=options.max_concurrency)
        self._client: Client | None = None
        self._stopped: FddError | None = None
        self._open: dict[str, asyncio.Future[Result | None]] = {}

    async def __aenter__(self) -> Self:
        try:
            from fdd_edge.teachers.language_model._client import Client
        except ModuleNotFoundError as error:
            raise MissingExtraError(str(error.name), "teacher") from None
        self._health.has_answered = await self._ledger.has_answered(self._options.address, self._options.model)
        self._client = Client(self._options)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._client is not None
        await self._client.__aexit__(kind, error, trace)
        self._client = None

    async def complete(self, requests: Sequence[Request]) -> list[Result]:
        """Return one result per request, in the same order; see ``Completer``.

        Raises:
            EndpointError: Nobody answers any more, or the key, the model or the address is wrong.
            BudgetError: The budget is used up.
        """
        if self._client is None:
            raise RuntimeError("an endpoint answers only inside `async with`")
        self._check()
        calls = [self._call(request) for request in requests]
        by_key = {call.key: call for call in calls}
        results: dict[str, Result] = {}
        own = {key: call for key, call in by_key.items() if key not in self._open}
        # The same request may be asked for twice at a time; it is sent once.
        others = {key: self._open[key] for key in by_key.keys() - own.keys()}
        results |= await self._ask(own)
        for key, future in others.items():
            result = await asyncio.shield(future)
            results[key] = (await self.complete([by_key[key].request]))[0] if result is None else result
        return [results[call.key] for call in calls]

    async def draws_so_far(self, purpose: Purpose, problem_ids: Sequence[str]) -> dict[str, int]:
        """Return how many draws earlier rounds of the run asked for; see ``Completer``."""
        return await self._ledger.draws_so_far(purpose, problem_ids)

    async def _ask(self, calls: Mapping[str, _Call]) -> dict[str, Result]:
        """Return the results of calls that nobody else is asking."""
        loop = asyncio.get_running_loop()
        self._open |= {key: loop.create_future() for key in calls}
        results: dict[str, Result] = {}
        try:
            found = await self._ledger.find(self._options.address, [call.request for call in calls.values()])
            known = {key: answered for key, answered in zip(calls, found, strict=True) if answered is not None}
            results |= {key: usable(answered) for key, answered in known.items()}
            self._health.has_answered |= bool(known)
            left = [call for key, call in calls.items() if key not in known]
            if left:
                with progress(f"asking {self._options.model} for {_wanted(left)}", len(left), "calls") as advance:
                    async with asyncio.TaskGroup() as group:
                        for call in left:
                            await self._begun.acquire()
                            group.create_task(self._run(call, results, lambda: advance(len(results) - len(known))))
                    self._check_refused([results[call.key] for call in left if call.key in results])
                    self._check()  # inside, so that work that was stopped is not said to be done
        finally:
            for key in calls:
                self._open.pop(key).set_result(results.get(key))
        self._check()
        return results

    async def _run(self, call: _Call, results: dict[str, Result], on_result: Callable[[], None]) -> None:
        """Put the result of a call among the others, or stop them all."""
        try:
            if self._stopped is None:
                results[call.key] = await self._attempts(call)
                on_result()
        except StoppedError:
            pass
        except FddError as error:
            self._stop(error)
        finally:
            self._begun.release()

    async def _attempts(self, call: _Call) -> Result:
        """Attempt a call until it has a result."""
        faults = 0
        for attempt in count():
            outcome = await self._attempt(call)
            if isinstance(outcome, AttemptFault) and self._health.has_answered and outcome.reason in PASSES_LATER_ON:
                outcome = outcome._replace(retryable=True)
            if gone := self._health.note(outcome):
                raise EndpointError(gone)
            if isinstance(outcome, Answered):
                return usable(outcome)
            if outcome.reason in OF_ALL_CALLS and not outcome.retryable:
                raise await self._explain(outcome)
            if not outcome.retryable:
                return outcome.as_call_fault()
            faults += outcome.reason not in ("rate_limited", "unreachable")
            if faults == _MOST_FAULTS and outcome.reason == "no_credit":
                raise await self._explain(outcome)
            if faults == _MOST_FAULTS:
                return CallFault("gave_up", f"{faults} attempts, the last one: {outcome.detail}")
            await self._slots.sleep(self._delay(outcome, attempt))
        raise AssertionError("a call ends in its loop")

    async def _attempt(self, call: _Call) -> Answered | AttemptFault:
        """Send a request once, with what is to be written down before and after."""
        if self._budget is not None:
            await self._budget.reserve(call.most)
        spent = self._nothing
        try:
            row = await self._ledger.reserve(self._options.address, self._options.model, call.request, call.most)
            await self._slot_for(row)
            cuts = self._slots.cuts
            try:
                await self._ledger.sent(row)
                spent = call.most  # until it is known better
                assert self._client is not None
                outcome = await self._client.attempt(call.request.body)
                spent = self._spent(outcome, call.most)
                written = asyncio.ensure_future(self._write_down(row, outcome, spent))
                if isinstance(outcome, Answered):
                    # Handed in before the slot is given away, and waited for after: the next call is on disk with this
                    # reply or after it, so no more replies than slots can be in doubt.
                    await asyncio.sleep(0)
                    self._slots.succeeded()
                else:
                    await written
                    if outcome.reason == "rate_limited":
                        self._slots.throttled(cuts, outcome.retry_after or 0)
            finally:
                self._slots.release()
            await written
            return outcome
        finally:
            if self._budget is not None:
                self._budget.settle(call.most, spent)

    async def _slot_for(self, row: int) -> None:
        """Wait for a slot; if nothing more is sent, the attempt ends as one that nobody has to pay."""
        try:
            await self._slots.acquire()
        except StoppedError:
            await self._ledger.failed(row, CallFault("not_sent", "the work ended before"))
            raise

    async def _write_down(self, row: int, outcome: Answered | AttemptFault, spent: Spend) -> None:
        """Complete an attempt's row in the ledger; without a count of tokens nobody knows its cost."""
        is_priced = self._quote is not None and outcome.usage is not None
        cost, source = (spent.cost, self._quote and self._quote.source) if is_priced else (None, None)
        if isinstance(outcome, Answered):
            await self._ledger.done(row, outcome, cost=cost, price_source=source)
        else:
            await self._ledger.failed(
                row,
                outcome.as_call_fault(),
                outcome.usage,
                cost=cost,
                price_source=source,
                may_be_paid=outcome.may_be_paid,
            )

    def _call(self, request: Request) -> _Call:
        whole = replace(request, body=self._options.request_body(request.body))
        return _Call(key_of(self._options.address, whole), whole, most_of(whole.body, self._quote))

    def _spent(self, outcome: Answered | AttemptFault, most: Spend) -> Spend:
        """Return what an attempt has cost: as the endpoint counts it, else the most that it can have cost."""
        usage = outcome.usage
        if usage is None:
            return most if isinstance(outcome, Answered) or outcome.may_be_paid else self._nothing
        cost = None if self._quote is None else self._quote.price.cost(usage)
        return Spend(1, usage.input + usage.output, cost)

    def _delay(self, fault: AttemptFault, attempt: int) -> float:
        """Return the seconds until the next attempt: a random part of a limit that doubles ("full jitter")."""
        limit = min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2 ** min(attempt, 10))
        return (fault.retry_after or 0) + self._jitter.uniform(0, limit)

    async def _explain(self, fault: AttemptFault) -> FddError:
        """Return the error for a fault that all calls would meet with, with the endpoint's models where they help."""
        if self._stopped is not None:
            return self._stopped
        assert self._client is not None
        self._slots.stop()  # while the models are asked for, no other call meets with the same
        models = await self._client.list_models() if fault.reason in ("not_found", "no_such_model") else None
        return setup_error(self._options, fault, models if isinstance(models, list) else None)

    def _stop(self, error: FddError) -> None:
        """Send nothing more; what is in flight comes to its end."""
        if self._stopped is None:
            self._stopped = error
            self._slots.stop()

    def _check_refused(self, results: Sequence[Result]) -> None:
        """Stop if the endpoint has refused everything that it was ever asked."""
        if sentence := self._health.all_refused(results):
            self._stop(EndpointError(sentence))

    def _check(self) -> None:
        if self._stopped is not None:
            raise self._stopped


def _wanted(calls: Sequence[_Call]) -> str:
    """Return what calls ask for, such as "40 programs"."""
    counts = Counter(_WRITES[call.request.purpose] for call in calls)
    return " and ".join(f"{n} {what}{'' if n == 1 else 's'}" for what, n in counts.items())
