"""What an epoch is drawn from: the shares of ``training.mix``, and the weights of the sets in ``data.train``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from fdd_edge.errors import FddError
from fdd_edge.ondevice.language import count_operations
from fdd_edge.progress import warn
from fdd_edge.records import Problem
from fdd_edge.students.mixture import MOST_REPEATS, Cell, Mixture, mix_examples
from fdd_edge.students.training_options import MixOptions

__all__ = ["choose_mixture", "group_of", "operations_of", "tokens_by"]

_TOLERATED = 0.005
"""How far a share may be missed without a word: examples are whole."""


def choose_mixture(
    problems: Sequence[Problem],
    lengths: Sequence[int],
    mix: MixOptions | None,
    weights: Mapping[str, float],
    seed: str,
) -> Mixture | None:
    """Return what an epoch is drawn from, or None if it has every example once. Warns of shares that are missed.

    Args:
        problems: The problem of every example.
        lengths: The tokens of every example.
        mix: The shares; None if there are only weights.
        weights: How often the problems of a source are drawn, relative to others.
        seed: Draws the examples.

    Raises:
        FddError: A source has no share, or all problems are of groups whose share is 0.
    """
    if mix is None and not weights:
        return None
    if mix is not None and mix.by == "source":
        _check_sources(problems, mix)
    cells = [Cell(group_of(problem, mix), problem.source if weights else "") for problem in problems]
    shares = None if mix is None else {str(group): share for group, share in mix.shares.items()}
    mixture = mix_examples(cells, lengths, shares=shares, weights=weights, seed=seed)
    if not len(mixture):
        raise FddError("training.mix leaves nothing to train on: no problem is of a group whose share is above 0.")
    key = "data.train" if mix is None else "training.mix"
    _warn_of_missed(mixture, lengths, shares or _weighted(cells, lengths, weights), key)
    return mixture


def group_of(problem: Problem, mix: MixOptions | None) -> str:
    """Return the group of a problem: by the shares of a mix; without one, its source."""
    if mix is None or mix.by == "source":
        return problem.source
    return mix.group_of(operations_of(problem))


def operations_of(problem: Problem) -> int:
    """Return the number of operations of a problem's program; 0 if it has none."""
    if problem.n_ops is not None:
        return problem.n_ops
    return 0 if problem.program is None else count_operations(problem.program)


def tokens_by(groups: Iterable[str], lengths: Sequence[int], times: Sequence[int]) -> dict[str, int]:
    """Return the tokens that were trained on, by group, in the order of their names.

    Args:
        groups: The group of every example.
        lengths: The tokens of every example.
        times: How often each was trained on.
    """
    found: Counter[str] = Counter()
    for group, length, n in zip(groups, lengths, times, strict=True):
        found[group] += length * n
    return dict(sorted(found.items()))


def _check_sources(problems: Sequence[Problem], mix: MixOptions) -> None:
    counts = Counter(problem.source for problem in problems if problem.source not in mix.shares)
    if counts:
        source, n = counts.most_common(1)[0]
        raise FddError(
            f"training.mix has no share for {n} problems whose `source` is {source!r}; it has shares for "
            f"{', '.join(map(str, mix.shares))}."
        )


def _weighted(cells: Sequence[Cell], lengths: Sequence[int], weights: Mapping[str, float]) -> dict[str, float]:
    """Return the share of each source that follows from its size and weight."""
    sizes = tokens_by((cell.source for cell in cells), lengths, [1] * len(lengths))
    total = sum(weights.get(source, 1.0) * size for source, size in sizes.items())
    return {source: weights.get(source, 1.0) * size / total for source, size in sizes.items()}


def _warn_of_missed(mixture: Mixture, lengths: Sequence[int], wanted: Mapping[str, float], key: str) -> None:
    found = mixture.tokens(lengths)
    total = sum(found.values())
    missed = [
        f"{group} gets {found.get(group, 0.0) / total:.1%} of the tokens instead of {share:.1%}"
        for group, share in wanted.items()
        if found.get(group, 0.0) / total < share - _TOLERATED
    ]
    if missed:
        warn(f"{key}: {'; '.join(missed)}, because an example is repeated at most {MOST_REPEATS} times in an epoch")
