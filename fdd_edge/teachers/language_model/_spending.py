"""What calls cost, and what they may cost: calls in flight have reserved the most that they can."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

__all__ = ["Budget", "Spend", "total"]


class Spend(NamedTuple):
    """What calls cost.

    Attributes:
        calls: How many.
        tokens: Input and output together.
        cost: None if there is no price.
    """

    calls: int
    tokens: int
    cost: float | None


def total(spends: Iterable[Spend]) -> Spend:
    """Return what several cost together; what has no price adds nothing to the cost."""
    spends = list(spends)
    return Spend(
        sum(spend.calls for spend in spends),
        sum(spend.tokens for spend in spends),
        sum(spend.cost or 0.0 for spend in spends),
    )


class Budget(Protocol):
    """What may be spent; calls in flight have reserved the most that they can cost."""

    async def reserve(self, most: Spend) -> None:
        """Set aside what a call can cost; if only calls in flight leave no room for it, wait for them.

        Raises:
            BudgetError: There is no room for it, and nothing is in flight that could leave some.
        """
        ...

    def settle(self, reserved: Spend, spent: Spend) -> None:
        """Put what was spent in place of what was reserved."""
        ...
