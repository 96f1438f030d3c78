"""What is asked of a language model, and what comes back; the endpoint, the runner and the ledger share these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

__all__ = ["Answered", "CallFault", "Completer", "Purpose", "Request", "Usage"]

Purpose = Literal["rationale", "complexify", "similar"]


@dataclass(frozen=True)
class Request:
    """One call, as it is before it is sent.

    Attributes:
        body: The request without what does not change the reply: the model, the messages, the options of sampling.
        purpose: What the reply is for.
        problem_id: The problem that it is about.
        draw: Which of several replies to the same body this is, from 0.
    """

    body: Mapping[str, Any]
    purpose: Purpose
    problem_id: str
    draw: int = 0


class Usage(NamedTuple):
    """Tokens of a call; ``cached_input`` are those of ``input`` that the provider had stored."""

    input: int
    cached_input: int
    output: int


class Answered(NamedTuple):
    """A reply.

    Attributes:
        text: What the model wrote; empty if it wrote nothing.
        finish_reason: ``stop``, ``length``, ``content_filter``, or another word of the endpoint; empty if it does not
            say.
        usage: Tokens as the endpoint counted them; None if it does not say.
        model: The model as the endpoint names it, which may be more exact than what was asked for.
        latency: Seconds from sending to the whole reply.
    """

    text: str
    finish_reason: str
    usage: Usage | None
    model: str
    latency: float


class CallFault(NamedTuple):
    """A call without a reply that can be used.

    Attributes:
        reason: A short slug, such as ``bad_request``, ``refused``, ``no_choices`` or ``gave_up``; counted and reported.
        detail: One line, without keys.
    """

    reason: str
    detail: str


class Completer(Protocol):
    """Whoever answers requests: an endpoint, or a model file on a target."""

    async def complete(self, requests: Sequence[Request]) -> list[Answered | CallFault]:
        """Return one result per request, in the same order.

        Raises:
            EndpointError: Nobody answers any more, or the key or the model is wrong; asking again is of no use.
        """
        ...

    async def draws_so_far(self, purpose: Purpose, problem_ids: Sequence[str]) -> Mapping[str, int]:
        """Return how often earlier rounds of this run asked for this about each problem; 0 if it is not in there."""
        ...
