"""Drawing the examples of an epoch to shares of its tokens: arithmetic on token counts alone."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import NamedTuple, TypeVar

__all__ = ["MOST_REPEATS", "Cell", "Mixture", "divide", "mix_examples"]

MOST_REPEATS = 4
"""How often an example occurs in an epoch at most. Up to four passes over the same text are worth nearly as much as new
text, more of them soon next to nothing (arXiv 2305.16264)."""

K = TypeVar("K", bound=Hashable)


class Cell(NamedTuple):
    """Examples that are drawn with the same probability: those of one group and one source."""

    group: str
    source: str


@dataclass(frozen=True)
class Mixture:
    """What an epoch is drawn from.

    Attributes:
        members: The indices of the examples of each cell.
        counts: How many of them an epoch has.
        seed: Draws them.
    """

    members: Mapping[Cell, Sequence[int]]
    counts: Mapping[Cell, int]
    seed: str

    def __len__(self) -> int:
        """Return the number of examples in an epoch, the same in each."""
        return sum(self.counts.values())

    def epoch(self, number: int) -> list[int]:
        """Return the indices of the examples of an epoch, in no meaningful order.

        Each cell goes on where it stopped in the epoch before, so that no example comes again before all have come.
        """
        drawn: list[int] = []
        for cell, members in self.members.items():
            start, stop = number * self.counts[cell], (number + 1) * self.counts[cell]
            while start < stop:
                cycle, at = divmod(start, len(members))
                order = random.Random(f"{self.seed}:{cell.group}:{cell.source}:{cycle}").sample(members, len(members))
                drawn += order[at : at + stop - start]
                start += len(order) - at
        return drawn

    def tokens(self, lengths: Sequence[int]) -> dict[str, float]:
        """Return the tokens of each group in an epoch, on average over many.

        Args:
            lengths: The tokens of every example.
        """
        found: dict[str, float] = defaultdict(float)
        for cell, members in self.members.items():
            found[cell.group] += self.counts[cell] * fsum(lengths[i] for i in members) / len(members)
        return dict(found)


def mix_examples(
    cells: Sequence[Cell],
    lengths: Sequence[int],
    *,
    shares: Mapping[str, float] | None,
    weights: Mapping[str, float],
    seed: str,
) -> Mixture:
    """Return a mixture with as many tokens per epoch as all examples have, if the shares allow it.

    A group gets its share, and its sources divide that by weight times size. What a group or source would have to
    repeat more than ``MOST_REPEATS`` times goes to the others.

    Args:
        cells: The cell of every example.
        lengths: The tokens of every example.
        shares: The share of each group; None if it follows from the weights.
        weights: How often the examples of a source are drawn, relative to those of others; 1 if there is none.
        seed: Draws the examples.
    """
    members: dict[Cell, list[int]] = defaultdict(list)
    for index, cell in enumerate(cells):
        members[cell].append(index)
    size = {cell: sum(lengths[i] for i in members[cell]) for cell in sorted(members)}
    weighted = {cell: weights.get(cell.source, 1.0) * tokens for cell, tokens in size.items()}
    wanted = _by_group(weighted) if shares is None else shares
    limits = {group: MOST_REPEATS * tokens for group, tokens in _by_group(size).items()}
    of_group = divide(sum(lengths), {group: wanted[group] for group in limits}, limits)
    counts: dict[Cell, int] = {}
    for group, tokens in of_group.items():
        own = {cell: weighted[cell] for cell in size if cell.group == group}
        for cell, part in divide(tokens, own, {cell: MOST_REPEATS * size[cell] for cell in own}).items():
            counts[cell] = round(part * len(members[cell]) / size[cell])
    return Mixture({cell: members[cell] for cell in counts}, counts, seed)


def divide(total: float, shares: Mapping[K, float], limits: Mapping[K, float]) -> dict[K, float]:
    """Divide ``total`` in proportion to the shares, none above its limit; what one cannot take goes to the others.

    Those without a share get nothing, so less than ``total`` is divided if all others reach their limits.
    """
    parts = dict.fromkeys(shares, 0.0)
    open_ = {key for key, share in shares.items() if share > 0}
    left = float(total)
    while open_:
        sum_of_shares = fsum(shares[key] for key in open_)
        full = {key for key in open_ if left * shares[key] / sum_of_shares >= limits[key]}
        if not full:
            return parts | {key: left * shares[key] / sum_of_shares for key in shares if key in open_}
        for key in full:
            parts[key] = limits[key]
        left -= fsum(limits[key] for key in full)
        open_ -= full
    return parts


def _by_group(of_cells: Mapping[Cell, float]) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for cell, value in of_cells.items():
        found[cell.group] += value
    return dict(found)
