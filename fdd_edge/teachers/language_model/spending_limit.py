"""What a run may spend on language models: calls in flight have reserved the most that they can cost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from fdd_edge.errors import BudgetError
from fdd_edge.ondevice.options import option
from fdd_edge.teachers.language_model._spending import Spend, total

__all__ = ["BudgetOptions", "SpendingLimit"]


@dataclass(frozen=True)
class BudgetOptions:
    """What a run may spend on language models, all of them together; reached, the run ends and can go on with more."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    cost: float | None = option(None, "in the currency of the prices", gt=0)
    tokens: int | None = option(None, "input and output tokens", ge=1)
    calls: int | None = option(None, "calls, repeated ones included", ge=1)

    def over(self, spend: Spend) -> str | None:
        """Return which limit a spending exceeds, as the key of the config; None if it is within all."""
        for name in ("calls", "tokens", "cost"):
            most, value = getattr(self, name), getattr(spend, name)
            if most is not None and value is not None and value > most:
                return name
        return None

    def too_small_for(self, most: Spend) -> str | None:
        """Return a sentence if a budget of which nothing is spent does not pay for one call that costs so much."""
        if (over := self.over(most)) is None:
            return None
        limit, needed = (getattr(some, over) or 0 for some in (self, most))
        return (
            f"teacher.budget.{over} ({limit:,g}) does not pay for one call, which may take {needed:,g}: raise it, or "
            "lower max_tokens of the model."
        )


class SpendingLimit:
    """Keeps the calls of one event loop within a budget."""

    def __init__(self, options: BudgetOptions, spent: Spend) -> None:
        """Begin with what the run has spent before."""
        self._options = options
        self._spent, self._reserved = spent, Spend(0, 0, 0.0)
        self._settled = asyncio.Event()

    async def reserve(self, most: Spend) -> None:
        """Set aside what a call can cost; if only calls in flight leave no room for it, wait for them.

        Raises:
            BudgetError: There is no room for it, and nothing is in flight that could leave some.
        """
        while over := self._options.over(total([self._spent, self._reserved, most])):
            if not self._reserved.calls:
                raise BudgetError(self._message(over, most) if most.calls == 1 else self._message_about(over, most))
            self._settled.clear()
            await self._settled.wait()
        self._reserved = total([self._reserved, most])

    def settle(self, reserved: Spend, spent: Spend) -> None:
        """Put what was spent in place of what was reserved."""
        self._reserved = _difference(self._reserved, reserved)
        self._spent = total([self._spent, spent])
        self._settled.set()

    def _message(self, over: str, most: Spend) -> str:
        if not self._spent.calls and (sentence := self._options.too_small_for(most)):
            return sentence
        limit, spent = (getattr(some, over) or 0 for some in (self._options, self._spent))
        return (
            f"teacher.budget.{over} ({limit:,g}) is used up: {spent:,g} of it spent in {self._spent.calls:,} calls. "
            "What was written is kept; run the same command with a larger number to go on."
        )

    def _message_about(self, over: str, batch: Spend) -> str:
        limit, spent, needed = (getattr(some, over) or 0 for some in (self._options, self._spent, batch))
        return (
            f"teacher.budget.{over} ({limit:,g}) does not pay for the {batch.calls:,} requests that wait for replies, "
            f"which may take {needed:,g}; {spent:,g} is spent. Run the same command with a larger number, or ask for "
            "less."
        )


def _difference(one: Spend, other: Spend) -> Spend:
    return Spend(one.calls - other.calls, one.tokens - other.tokens, (one.cost or 0.0) - (other.cost or 0.0))
