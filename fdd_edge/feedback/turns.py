"""In what order parents are asked for new problems, when it is not known how many of those will be accepted."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fdd_edge.feedback.branching import Branch
from fdd_edge.records import Origin, Problem

__all__ = ["Turn", "candidates_for", "one_turn_each", "wave_of"]

_LOWEST_RATE = 0.1
"""Where fewer are accepted, a wave is no larger than at this rate, because the rate was measured on few."""
_SMALLEST = 8
"""Candidates of the smallest wave: the last few problems would otherwise be asked for one by one."""


class Turn(NamedTuple):
    """A parent that is to be asked for new problems.

    Attributes:
        origin: The kind of problem that it is asked for.
        parent: The problem.
        candidates: How many.
    """

    origin: Origin
    parent: Problem
    candidates: int


def wave_of(turns: Sequence[Turn], position: int, wanted: int, *, most: int) -> list[Turn]:
    """Return the turns that are taken next; empty if one more would exceed ``most``.

    Args:
        turns: One turn of each parent.
        position: How many of them were taken since each parent had its last turn.
        wanted: Candidates that are wanted. Each parent is asked for several times as many if one pass has too few;
            a pass that has begun is finished first.
        most: Candidates that may still be asked for.
    """
    in_pass = sum(turn.candidates for turn in turns)
    times = min(wanted, most) // in_pass
    if position == 0 and times > 1:
        return [turn._replace(candidates=turn.candidates * times) for turn in turns]
    return _first_turns(turns[position:], wanted, most=most)


def one_turn_each(branches: Sequence[Branch], per_problem: Mapping[Origin, int], seed: int) -> list[Turn]:
    """Return every parent once, in random order; any first part holds the branches in proportion to their sizes.

    Args:
        branches: The parents by the kind of problem that they are asked for.
        per_problem: How many problems of a kind a parent is asked for; one with 0 has no turn.
        seed: Draws the order.
    """
    placed: list[tuple[float, Turn]] = []
    for branch in branches:
        parents = list(branch.parents) if per_problem[branch.origin] else []
        random.Random(f"turns:{branch.origin}:{seed}").shuffle(parents)
        placed += [
            ((position + 0.5) / len(parents), Turn(branch.origin, parent, per_problem[branch.origin]))
            for position, parent in enumerate(parents)
        ]
    return [turn for _, turn in sorted(placed, key=lambda item: item[0])]


def candidates_for(missing: int, *, accepted: int, asked: int) -> int:
    """Return how many candidates will yield the missing problems, if as many are accepted as so far.

    Args:
        missing: Problems that are still wanted.
        accepted: Those that were accepted so far.
        asked: The candidates that were asked for so far; without any, each is expected to be accepted.
    """
    rate = max(accepted / asked, _LOWEST_RATE) if asked else 1.0
    return max(math.ceil(missing / rate), _SMALLEST) if asked else missing


def _first_turns(turns: Sequence[Turn], wanted: int, *, most: int) -> list[Turn]:
    """Return the first turns, until they have as many candidates as wanted, or one more would exceed ``most``."""
    chosen: list[Turn] = []
    candidates = 0
    for turn in turns:
        if candidates >= wanted or candidates + turn.candidates > most:
            break
        chosen.append(turn)
        candidates += turn.candidates
    return chosen
