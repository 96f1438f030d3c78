"""Which round is the best: the newest that keeps its gates and is not worse than any before it, chance aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from fdd_edge.evaluation import paired_share_difference
from fdd_edge.feedback import pass_rates
from fdd_edge.operations.bench import Measurement
from fdd_edge.operations.evaluate import read_rows

__all__ = ["Contender", "Standing", "best_of", "read_contender", "standings"]


class Contender(NamedTuple):
    """What a round is judged by.

    Attributes:
        name: Of the round.
        solved: The share of right answers for each problem of valid, by id: the judge's.
        float_solved: The float artifact's; None where no gate needs it.
        measured: What the judge's artifact costs on its target.
    """

    name: str
    solved: Mapping[str, float]
    float_solved: Mapping[str, float] | None
    measured: Measurement

    @property
    def accuracy(self) -> float:
        """The share of valid that it solves."""
        return fmean(self.solved.values())


class Standing(NamedTuple):
    """One round among those up to it.

    Attributes:
        name: Of the round.
        held_back: The gates it does not keep, one sentence each; it is the best so far where there are none.
    """

    name: str
    held_back: list[str]


def read_contender(name: str, valid: Path, float_valid: Path | None, measured: Measurement) -> Contender:
    """Read what a round is judged by from its evaluations of valid."""
    floats = None if float_valid is None else pass_rates(read_rows(float_valid))
    return Contender(name, pass_rates(read_rows(valid)), floats, measured)


def standings(contenders: Sequence[Contender], gates: Mapping[str, float | None]) -> list[Standing]:
    """Judge every round, in their order, against the gates and the strongest round before it that keeps them.

    Being compared with the strongest, and not with the last, the rounds cannot slip down step by step, each within
    its interval.

    Args:
        contenders: The rounds in their order.
        gates: The config's ``gates``; None where there is none.
    """
    strongest: Contender | None = None
    found = []
    for contender in contenders:
        broken = _broken(contender, gates)
        if strongest is not None and (worse := _compare(contender, strongest)):
            broken.append(worse)
        if not broken and (strongest is None or contender.accuracy > strongest.accuracy):
            strongest = contender
        found.append(Standing(contender.name, broken))
    return found


def best_of(found: Sequence[Standing]) -> str | None:
    """Return the newest round that was not held back."""
    return next((standing.name for standing in reversed(found) if not standing.held_back), None)


def _compare(contender: Contender, strongest: Contender) -> str | None:
    """Say by how much a round is worse than another on the same problems, if that is more than chance."""
    # Each is 0 or 1, for valid is decoded greedily, once.
    differences = [contender.solved[name] - rate for name, rate in strongest.solved.items()]
    gained, lost = (sum(difference * sign > 0 for difference in differences) for sign in (1, -1))
    interval = paired_share_difference(gained, lost, len(differences))
    if interval.high >= 0:
        return None
    low, high = (-100 * end for end in interval)
    return (
        f"it solves {-100 * fmean(differences):.1f} points less of valid than {strongest.name} "
        f"(95 %: {high:.1f} to {low:.1f})"
    )


def _broken(contender: Contender, gates: Mapping[str, float | None]) -> list[str]:
    """Return a sentence for every gate that a round does not keep."""
    measured = contender.measured
    drop = None if contender.float_solved is None else fmean(contender.float_solved.values()) - contender.accuracy
    rules = [
        ("min_accuracy", contender.accuracy, "it solves {:.1%} of valid, less than {:.1%}"),
        ("max_drop", drop, "it solves {:.1%} less of valid than its float artifact, more than {:.1%}"),
        ("max_size_mb", measured.bytes / 1e6, "it takes {:.1f} MB, more than {:g}"),
        ("max_rss_mb", measured.peak_rss_bytes / 1e6, "its runner takes {:.0f} MB, more than {:g}"),
        ("min_tokens_per_s", measured.decode_tokens_per_second, "it writes {:.1f} tokens/s, less than {:g}"),
    ]
    broken = []
    for key, value, sentence in rules:
        bound = gates[key]
        if bound is None:
            continue
        if value is None:
            broken.append(f"gates.{key}: it could not be measured")
        elif value < bound if key.startswith("min") else value > bound:
            broken.append(f"gates.{key}: {sentence.format(value, bound)}")
    return broken + [f"budgets of {measured.target}: {sentence}" for sentence in measured.broken_budgets]
