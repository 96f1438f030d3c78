"""Whether an endpoint still answers: one broken reply is nothing, nothing but broken ones is the end."""

from __future__ import annotations

from fdd_edge.teachers.language_model._calls import Answered
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
    """What all calls to an endpoint have met with."""

    def __init__(self, address: str, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._has_answered = False
        self._faults = 0
        self._since: float | None = None
        self._refusals = 0

    def note(self, outcome: Answered | AttemptFault) -> str | None:
        """Note an attempt; return a sentence if the endpoint is gone."""
        if isinstance(outcome, Answered):
            self._has_answered = True
            self._faults, self._since, self._refusals = 0, None, 0
            return None
        if not outcome.retryable:
            return self._refused(outcome)
        self._faults += 1
        now = self._clock.now()
        self._since = now if self._since is None else self._since
        if (outcome.retry_after or 0) > _LONGEST_RETRY_AFTER_S:
            return f"{self._address} asks to wait {outcome.retry_after:.0f} s ({outcome.detail}). {_AGAIN}"
        at_first = outcome.reason == "unreachable" and not self._has_answered
        patience = _PATIENCE_RATE_LIMITED_S if outcome.reason == "rate_limited" else _PATIENCE_S
        if now - self._since < (_PATIENCE_AT_FIRST_S if at_first else patience):
            return None
        if self._faults < (_FAULTS_AT_FIRST if at_first else _FAULTS):
            return None
        if outcome.reason == "unreachable":
            return f"{self._address} cannot be reached ({outcome.detail}). Start it or correct base_url. {_AGAIN}"
        return (
            f"{self._address} has answered nothing but errors for {now - self._since:.0f} s, the last one: "
            f"{outcome.detail}. {_AGAIN}"
        )

    def _refused(self, fault: AttemptFault) -> str | None:
        """Note a request that the endpoint does not take, but it is there."""
        self._faults, self._since = 0, None
        if fault.reason in _OF_ONE_REQUEST:
            self._refusals += 1
        if self._has_answered or self._refusals < _FAULTS:
            return None
        return f"{self._address} has refused each of {self._refusals} requests, the last one: {fault.detail}. {_AGAIN}"


_AGAIN = "What it has answered is kept: the same command goes on from there."
