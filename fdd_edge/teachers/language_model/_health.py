"""Whether an endpoint still answers: one broken reply is nothing, nothing but broken ones is the end."""

from __future__ import annotations

from collections.abc import Sequence

from fdd_edge.teachers.language_model._calls import Answered, CallFault
from fdd_edge.teachers.language_model._clock import Clock
from fdd_edge.teachers.language_model._faults import AttemptFault

__all__ = ["Health"]

_FAULTS = 20
"""Faults in a row, at least, before an endpoint that has answered before counts as gone."""
_FAULTS_AT_FIRST = 3
"""The same for one that cannot even be reached and has never answered: its address is probably wrong."""

_PATIENCE_S = 120.0
_PATIENCE_AT_FIRST_S = 10.0
_PATIENCE_RATE_LIMITED_S = 900.0
_LONGEST_RETRY_AFTER_S = 600.0

_OF_ONE_REQUEST = ("bad_request", "too_long", "refused", "forbidden", "too_large")


class Health:
    """What all calls to an endpoint have met with.

    Attributes:
        has_answered: Whether it has ever answered what this run asks; then its settings are right, and what it does
            not answer is not to the point of all calls.
    """

    def __init__(self, address: str, clock: Clock, *, most_in_flight: int) -> None:
        self.has_answered = False
        self._address = address
        self._clock = clock
        # Refusals come at once, replies take their time: those of the first requests are all still on their way.
        self._most_refusals = max(_FAULTS, 2 * most_in_flight)
        self._is_here = False
        self._faults = 0
        self._since: float | None = None
        self._refusals = 0

    def note(self, outcome: Answered | AttemptFault) -> str | None:
        """Note an attempt; return a sentence if the endpoint is gone."""
        if isinstance(outcome, Answered):
            self.has_answered = self._is_here = True
            self._faults, self._since, self._refusals = 0, None, 0
            return None
        if not outcome.retryable:
            return self._refused(outcome)
        self._faults += 1
        now = self._clock.now()
        self._since = now if self._since is None else self._since
        if (outcome.retry_after or 0) > _LONGEST_RETRY_AFTER_S:
            return f"{self._address} asks to wait {outcome.retry_after:.0f} s ({outcome.detail}). {_AGAIN}"
        at_first = outcome.reason == "unreachable" and not self._is_here
        patience = _PATIENCE_RATE_LIMITED_S if outcome.reason == "rate_limited" else _PATIENCE_S
        if now - self._since < (_PATIENCE_AT_FIRST_S if at_first else patience):
            return None
        if self._faults < (_FAULTS_AT_FIRST if at_first else _FAULTS):
            return None
        if outcome.reason == "unreachable":
            return f"{self._address} cannot be reached ({outcome.detail}). Start it or correct base_url. {_AGAIN}"
        return (
            f"{self._address} has answered nothing but errors for {now - self._since:.0f} s, the last one: "
            f"{outcome.said}. {_AGAIN}"
        )

    def all_refused(self, outcomes: Sequence[Answered | CallFault]) -> str | None:
        """Return a sentence if these results of several requests show that it takes none at all."""
        refusals = [one for one in outcomes if isinstance(one, CallFault) and one.reason in _OF_ONE_REQUEST]
        if self.has_answered or len(refusals) < 2 or len(refusals) < len(outcomes):
            return None
        return self._refused_each(len(refusals), refusals[-1].detail)

    def _refused(self, fault: AttemptFault) -> str | None:
        """Note a request that the endpoint does not take, but it is there."""
        self._faults, self._since, self._is_here = 0, None, True
        if fault.reason in _OF_ONE_REQUEST:
            self._refusals += 1
        if self.has_answered or self._refusals < self._most_refusals:
            return None
        return self._refused_each(self._refusals, fault.said)

    def _refused_each(self, n: int, last: str) -> str:
        return f"{self._address} has refused each of {n} requests, the last one: {last.rstrip('. ')}. {_AGAIN}"


_AGAIN = "What it has answered is kept: the same command goes on from there."
