"""What a teacher is asked for, and what that costs: calls, tokens and a price, each from its lowest to its highest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fdd_edge.planning.span import Span

__all__ = ["CallWork", "TokenPrice", "TokensOfCall", "guessed_tokens"]

_LETTERS_PER_TOKEN = 4.0
"""Of English text: what OpenAI gives for its vocabularies."""

_SHORT_REPLY = 60
"""Tokens of a short reply: a problem of one sentence, and a program of two lines."""


class TokenPrice(Protocol):
    """What a million tokens cost."""

    @property
    def input(self) -> float:
        """Of a prompt."""

    @property
    def output(self) -> float:
        """Of a reply."""


@dataclass(frozen=True)
class TokensOfCall:
    """Tokens of one call.

    Attributes:
        input: Of the prompt.
        output: Of the reply.
        calls: Calls in the ledger that say so; 0 if it is a guess.
        latency: Seconds, if the ledger knows any.
    """

    input: Span
    output: Span
    calls: int = 0
    latency: float | None = None


def guessed_tokens(letters: float, most: int | None) -> TokensOfCall:
    """Return the tokens of a call that nobody has made yet.

    Args:
        letters: Of the prompt.
        most: Tokens of a reply, if they are limited.
    """
    asked = letters / _LETTERS_PER_TOKEN
    longest = 10.0 * _SHORT_REPLY if most is None else float(most)
    return TokensOfCall(Span(0.8 * asked, 1.3 * asked), Span(min(_SHORT_REPLY, longest), longest))


@dataclass(frozen=True)
class CallWork:
    """The calls of a run to one teacher for one purpose.

    Attributes:
        teacher: Its name in the config.
        purpose: ``rationale``, ``complexify`` or ``similar``.
        calls: How many.
        tokens: Of one.
        price: Of a million; None if none is known, or nothing is paid.
        concurrency: Calls in flight.
        basis: How the tokens are known.
        price_source: Where the price is from.
    """

    teacher: str
    purpose: str
    calls: Span
    tokens: TokensOfCall
    price: TokenPrice | None = None
    concurrency: int = 1
    basis: str = ""
    price_source: str = ""

    @property
    def all_tokens(self) -> Span:
        """Of all calls, prompts and replies."""
        return self.calls.times(self.tokens.input + self.tokens.output)

    @property
    def cost(self) -> Span | None:
        """Of all calls; None without a price."""
        if self.price is None:
            return None
        per_call = self.tokens.input * self.price.input + self.tokens.output * self.price.output
        return self.calls.times(per_call) * 1e-6

    @property
    def seconds(self) -> Span | None:
        """Of all calls; None if no call has been timed."""
        if self.tokens.latency is None:
            return None
        return self.calls * (self.tokens.latency / self.concurrency)
