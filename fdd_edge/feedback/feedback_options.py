"""The options of labelling and evolving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from fdd_edge.ondevice.options import option

__all__ = ["POLICIES", "Bands", "EvolveOptions", "Policy"]

Policy = Literal["fdd", "random", "inverted", "none"]
"""``fdd``: complex problems from easy ones, similar problems from hard ones. ``inverted``: the other way round.
``random``: as many of each as under ``fdd``, from parents drawn at random. ``none``: nothing is written."""
POLICIES: tuple[Policy, ...] = get_args(Policy)

CANDIDATES_PER_NEW = 10
"""How many new problems are asked for at most, for each that is wanted, unless ``max_candidates`` says otherwise."""


@dataclass(frozen=True)
class Bands:
    """Which pass rates make a problem easy or hard; those in between are borderline."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    easy_at: float = option(0.75, "a problem is easy at or above this pass rate", ge=0, le=1)
    hard_at: float = option(0.25, "a problem is hard at or below this pass rate", ge=0, le=1)

    def __post_init__(self) -> None:
        # Written this way round, it also refuses NaN, for which no comparison holds.
        if not 0 <= self.hard_at < self.easy_at <= 1:
            raise ValueError(
                f"hard_at ({self.hard_at:g}) must be lower than easy_at ({self.easy_at:g}), both between 0 and 1"
            )


@dataclass(frozen=True)
class EvolveOptions:
    """How many new problems are written, and from which."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    per_easy: int = option(1, "harder problems per easy one", ge=0)
    per_hard: int = option(1, "similar problems per hard one", ge=0)
    max_depth: int = option(3, "only problems with a lower depth than this evolve", ge=1)
    policy: Policy = option("fdd", "which problems evolve into what; all but fdd are controls")
    target_new: int | None = option(
        None, "ask for new problems until this many passed curation; default: ask for per_easy and per_hard, once", ge=1
    )
    max_candidates: int | None = option(
        None, f"new problems to ask for at most; default: {CANDIDATES_PER_NEW} for each of target_new", ge=1
    )

    @property
    def most_candidates(self) -> int | None:
        """How many new problems are asked for at most; None if there is no number to reach."""
        if self.target_new is None:
            return None
        return self.max_candidates or CANDIDATES_PER_NEW * self.target_new
