"""Runs, rounds or evaluations compared with a first one, on the problems that both were asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from fdd_edge.config_file import read_config_source
from fdd_edge.errors import FddError
from fdd_edge.evaluation import Difference, ScoredReply, compare_replies, holm, samples_of
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.pipeline.kept_evaluations import KeptEvaluation, find_evaluations, find_round
from fdd_edge.pipeline.same_sets import pair_replies, pair_sets
from fdd_edge.pipeline.shown_rows import ShownRow
from fdd_edge.result_base import Result
from fdd_edge.runs import RunLayout
from fdd_edge.runs.fingerprint import changed_names
from fdd_edge.runs.stage_files import VALID

__all__ = ["Comparison", "ComparisonRow", "Contestant", "compare_paths"]

_POOLED = "pooled"
_NOT_A_SETTING = {"output_dir"}
"""Keys of a config in which any two runs differ."""


@dataclass(frozen=True)
class Contestant(Result):
    """One of those that are compared.

    Attributes:
        letter: What tables call it: the first is A.
        path: The run, round or folder of evaluations.
        artifact: What answered.
        samples: Replies per problem; of several, the majority counts as one.
    """

    letter: str
    path: Path
    artifact: str
    samples: int = 1


@dataclass(frozen=True)
class ComparisonRow(Result):
    """One contestant compared with the first one, on one set or on all that both have.

    Attributes:
        dataset: The set; ``pooled`` for all but the one by which a run chose its best round, or ``pooled-2`` if a set
            is called that.
        letter: The contestant's.
        difference: Shares, difference with its interval, flips, and the p value of McNemar's exact test.
        p_holm: That p value, adjusted for how many comparisons there are: on single sets, or on all sets.
        only_first: Problems that only the first was asked.
        only_second: Problems that only the other one was asked.
        is_pooled: Whether it is the row of several sets.
    """

    dataset: str
    letter: str
    difference: Difference
    p_holm: float
    only_first: int
    only_second: int
    is_pooled: bool = False

    @property
    def verdict(self) -> str:
        """What the interval of the difference says."""
        low, high = self.difference.ci95
        return "better than A" if low > 0 else "worse than A" if high < 0 else "not shown to differ from A"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        counts = {"p_holm": self.p_holm, "only_first": self.only_first, "only_second": self.only_second}
        names = {"set": self.dataset, "pooled": self.is_pooled, "compared": self.letter}
        return {**names, **self.difference.to_row(), **counts}


@dataclass(frozen=True)
class Comparison(Result):
    """Contestants compared with the first one.

    Attributes:
        contestants: The first one, and the others.
        rows: By contestant: each set, and all sets if there are several; ``valid`` of runs first.
        configs: Keys in which the configs of the runs differ, each with its value by letter.
        settings: The same for how the evaluations asked.
        unmatched: Sets that only one has, by letter: of the first, those that no other has.
        flips: Problems that only one of two solves: the first one's reply, and ``against`` the other one's; of several
            replies, the first of the majority.
    """

    contestants: Sequence[Contestant]
    rows: Sequence[ComparisonRow]
    configs: Mapping[str, Mapping[str, Any]] = field(repr=False)
    settings: Mapping[str, Mapping[str, Any]] = field(repr=False)
    unmatched: Mapping[str, Sequence[str]] = field(repr=False)
    flips: Mapping[str, Sequence[ShownRow]] = field(repr=False)

    @property
    def overall(self) -> dict[str, ComparisonRow]:
        """The row of each contestant that counts most, by letter: that of all sets, or of the only one.

        ``valid`` counts only where there is nothing else: it chose the rounds.
        """
        ranked = sorted(self.rows, key=lambda row: 2 if row.is_pooled else row.dataset != VALID)
        return dict(sorted({row.letter: row for row in ranked}.items()))

    def worse(self, points: float) -> list[ComparisonRow]:
        """Return who is worse than the first by more than this: the whole interval says so.

        Raises:
            FddError: It is not a number of points.
        """
        if not (isfinite(points) and points >= 0):
            raise FddError(f"The points must be a number from 0 up, not {points!r}.")
        return [row for row in self.overall.values() if 100 * row.difference.ci95.high < -points]

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge compare --json`` prints."""
        return {
            "contestants": [one.to_dict() for one in self.contestants],
            "comparisons": [row.to_dict() for row in self.rows],
            "configs": {key: dict(values) for key, values in self.configs.items()},
            "settings": {key: dict(values) for key, values in self.settings.items()},
            "unmatched": {letter: list(names) for letter, names in self.unmatched.items()},
            "flips": {letter: [row.to_dict() for row in rows] for letter, rows in self.flips.items()},
        }

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [row.to_dict() for row in self.rows]

    def _shown(self) -> Iterable[tuple[str, object]]:
        shares = (
            (f"{row.letter} - A on {row.dataset}", f"{100 * row.difference.change:+.1f} points, p = {row.p_holm:.3g}")
            for row in self.rows
        )
        return [*((one.letter, f"{one.path}: {one.artifact}") for one in self.contestants), *shares]


def compare_paths(paths: Sequence[Path]) -> Comparison:
    """Compare what the paths hold with what the first one holds; of several replies to a problem, by their majority.

    Args:
        paths: As for ``find_evaluations``. Of a run or a round, the problems that it labels and the questions that it
            only shows are left out.

    Raises:
        FddError: There are fewer than two, one holds no evaluation, or two have no set or problem in common, or
            different problems under one id.
    """
    if not 2 <= len(paths) <= len(ascii_uppercase):
        raise FddError(f"Name 2 to {len(ascii_uppercase)} runs, rounds or evaluations to compare, not {len(paths)}.")
    found = {letter: _reported(path) for letter, path in zip(ascii_uppercase, paths, strict=False)}
    by_letter = dict(zip(found, paths, strict=True))
    contestants = [
        Contestant(
            letter,
            by_letter[letter],
            ", ".join(dict.fromkeys(one.artifact for one in evaluations)),
            max(1, *(samples_of(one.replies()) for one in evaluations)),
        )
        for letter, evaluations in found.items()
    ]
    first, *others = found
    rows: list[ComparisonRow] = []
    flips: dict[str, list[ShownRow]] = {}
    matched: set[Path] = set()
    for letter in others:
        pooled: list[tuple[ScoredReply, ScoredReply]] = []
        own: list[ComparisonRow] = []
        reported: list[ComparisonRow] = []
        flips[letter] = []
        for pair in pair_sets(found[first], found[letter], by_letter[first], by_letter[letter]):
            matched |= {pair.first.folder, pair.second.folder}
            replies = pair_replies(pair, vote=True)
            difference = compare_replies(replies.both)
            row = ComparisonRow(
                pair.first.dataset, letter, difference, difference.p, replies.only_first, replies.only_second
            )
            own.append(row)
            if not (pair.first.chooses or pair.second.chooses):
                reported.append(row)
                pooled += [(_within(row.dataset, one), _within(row.dataset, two)) for one, two in replies.both]
            flips[letter] += [
                ShownRow(pair.first.artifact, row.dataset, None, one, two)
                for one, two in replies.both
                if (one.verdict is Verdict.correct) != (two.verdict is Verdict.correct)
            ]
        if len(reported) > 1:
            difference = compare_replies(pooled)
            missed = (sum(row.only_first for row in reported), sum(row.only_second for row in reported))
            taken = {row.dataset for row in own}
            name = next(name for name in (_POOLED, *(f"{_POOLED}-{n}" for n in range(2, 99))) if name not in taken)
            own.append(ComparisonRow(name, letter, difference, difference.p, *missed, is_pooled=True))
        rows += own
    configs = _differences({letter: _config_of(path) for letter, path in by_letter.items()})
    settings = _differences({letter: ones[0].evaluation().facts.settings for letter, ones in found.items()})
    unmatched = {
        letter: names
        for letter, evaluations in found.items()
        if (names := [one.dataset for one in evaluations if one.folder not in matched])
    }
    return Comparison(contestants, _adjusted(rows), configs, settings, unmatched, flips)


def _within(dataset: str, reply: ScoredReply) -> ScoredReply:
    """Return a reply whose problem has an id of its own among all sets: an earlier version stored no question."""
    return replace(reply, problem_id=f"{dataset}/{reply.problem_id}")


def _reported(path: Path) -> list[KeptEvaluation]:
    """Return the evaluations of a path; of a run or a round, those that it reports."""
    found = find_evaluations(path)
    return [one for one in found if one.is_reported] or found


def _adjusted(rows: Sequence[ComparisonRow]) -> list[ComparisonRow]:
    """Return rows with Holm's p values: those of single sets are one family, those of all sets are another."""
    adjusted: dict[int, float] = {}
    for is_pooled in (False, True):
        family = [number for number, row in enumerate(rows) if row.is_pooled == is_pooled]
        adjusted |= dict(zip(family, holm([rows[number].difference.p for number in family]), strict=True))
    return [replace(row, p_holm=adjusted[number]) for number, row in enumerate(rows)]


def _config_of(path: Path) -> Mapping[str, Any]:
    """Return the config of a run, or of a round's, as it was written; nothing for an evaluation."""
    round_dir = find_round(path)
    if round_dir is None:
        return {}
    source = read_config_source(str(RunLayout(round_dir.root.parent).config))
    found: dict[str, Any] = json.loads(json.dumps(source, default=str))  # YAML has keys and values that JSON has not
    return found


def _differences(trees: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the keys in which trees differ, each with its values; trees that are empty say nothing."""
    known = {letter: tree for letter, tree in trees.items() if tree}
    if len(known) < 2:
        return {}
    first, *others = known.values()
    keys = dict.fromkeys(name for other in others for name in changed_names(first, other))
    return {
        key: {letter: _value(tree, key) for letter, tree in known.items()} for key in keys if key not in _NOT_A_SETTING
    }


def _value(tree: Any, key: str) -> Any:
    """Return the value at a key such as ``lora.r``; the name of a model may contain dots."""
    if key == "" or not isinstance(tree, Mapping):
        return tree if key == "" else None
    inside = (name for name in tree if key == name or key.startswith(f"{name}."))
    name = next(inside, None)
    return None if name is None else _value(tree[name], key[len(name) + 1 :])
