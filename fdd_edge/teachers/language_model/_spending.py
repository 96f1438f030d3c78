"""What calls cost, and what they may cost: calls in flight have reserved the most that they can."""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["Budget", "Spend"]


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
