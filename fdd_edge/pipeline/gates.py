"""Which round is the best: the newest that passes its gates and is not significantly worse than any earlier one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from fdd_edge.config import Gates
from fdd_edge.errors import FddError
from fdd_edge.evaluation import Interval, clustered_share_difference, clustered_wilson, same_question
from fdd_edge.feedback import pass_rates
from fdd_edge.operations.bench import Measurement, read_measurement
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.pipeline.run import RunView
from fdd_edge.records import read_problems
from fdd_edge.runs.stage_files import VALID
from fdd_edge.targets import Profile, is_emulated

__all__ = ["Contender", "Standing", "best_of", "check_gates", "judge_rounds", "set_gates", "standings"]


def judge_rounds(run: RunView, last: int | None = None) -> list[Standing]:
    """Judge the rounds that were evaluated, in their order, up to round ``last``."""
    target, judge, gates = run.named.judge_target.name, run.named.judge.name, run.config.gates
    questions = {problem.id: same_question(problem.question) for problem in read_problems(run.layout.valid)}
    contenders = []
    for number in range(run.config.rounds if last is None else last + 1):
        round_dir = run.layout.round(number)
        valid = round_dir.evaluation(target, judge, VALID)
        if not valid.is_dir():
            break
        floats = round_dir.evaluation("local", run.named.float_recipe.name, VALID)
        compared = gates.max_drop is not None and floats.is_dir()
        measured = read_measurement(round_dir.bench(target, judge))
        contenders.append(_read_contender(round_dir.name, valid, floats if compared else None, measured, questions))
    return standings(contenders, gates)


def check_gates(gates: Gates, judge_target: Profile) -> None:
    """Refuse gates that cannot be measured on the judge's target.

    Raises:
        FddError: The target is emulated, so speed and memory would be the emulator's.
    """
    named = [f"gates.{key}" for key in ("max_rss_mb", "min_tokens_per_s") if getattr(gates, key) is not None]
    if named and is_emulated(judge_target):
        remove = "it" if len(named) == 1 else "them"
        raise FddError(
            f"{' and '.join(named)} cannot be measured on {judge_target.name}, which is emulated: speed and memory "
            f"would be the emulator's. Remove {remove}, or set feedback.target to a board."
        )


def set_gates(gates: Gates, judge_target: Profile) -> list[str]:
    """Return the names of the gates that a config sets, and of the budgets that the judge's target sets."""
    sides = (("gates", gates), (f"budgets of {judge_target.name}", judge_target.budgets))
    return [
        f"{side}.{field.name}"
        for side, limits in sides
        for field in fields(limits)
        if getattr(limits, field.name) is not None
    ]


class Contender(NamedTuple):
    """What a round is judged by.

    Attributes:
        name: Of the round.
        solved: The judge's share of right answers to each problem of valid, by id.
        float_solved: The float artifact's; None if no gate needs it.
        measured: What the judge's artifact costs on its target.
        questions: What the problems of valid ask, by id: those that ask the same count as one.
    """

    name: str
    solved: Mapping[str, float]
    float_solved: Mapping[str, float] | None
    measured: Measurement
    questions: Mapping[str, str]

    @property
    def accuracy(self) -> float:
        """The share of valid that it solves."""
        return fmean(self.solved.values())

    def by_question(self, of_problems: Mapping[str, float]) -> list[list[float]]:
        """Return one number for each problem, those of problems that ask the same together."""
        found: dict[str, list[float]] = {}
        for name, value in of_problems.items():
            found.setdefault(self.questions[name], []).append(value)
        return list(found.values())


class Standing(NamedTuple):
    """One round, compared with those before it.

    Attributes:
        name: Of the round.
        held_back: The gates that it fails, one sentence each; without any, it is the best round so far.
    """

    name: str
    held_back: list[str]


def _read_contender(
    name: str, valid: Path, float_valid: Path | None, measured: Measurement, questions: Mapping[str, str]
) -> Contender:
    """Read what a round is judged by from its evaluations of valid."""
    floats = None if float_valid is None else pass_rates(read_rows(float_valid))
    return Contender(name, pass_rates(read_rows(valid)), floats, measured, questions)


def standings(contenders: Sequence[Contender], gates: Gates) -> list[Standing]:
    """Judge every round against the gates, and against the strongest earlier round that passes them.

    Comparing with the strongest round, not the last one, keeps accuracy from slipping down step by step, each step
    within its interval.

    Args:
        contenders: The rounds in their order.
        gates: The config's ``gates``.
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
    """Return the newest round that fails no gate; None if every round fails one."""
    return next((standing.name for standing in reversed(found) if not standing.held_back), None)


def _compare(contender: Contender, strongest: Contender) -> str | None:
    """Return by how much a round is worse than another on the same problems, if that is more than chance."""
    differences = {name: contender.solved[name] - rate for name, rate in strongest.solved.items()}
    interval = _difference(contender, differences)
    if interval.high >= 0:
        return None
    low, high = (-100 * end for end in interval)
    return (
        f"its accuracy on valid is {-100 * fmean(differences.values()):.1f} points lower than {strongest.name}'s "
        f"(95 %: {high:.1f} to {low:.1f})"
    )


def _difference(contender: Contender, differences: Mapping[str, float]) -> Interval:
    """Return the interval of the mean difference, given one for each problem."""
    # Each is -1, 0 or 1, because valid is decoded greedily, once.
    counts = [
        (sum(change > 0 for change in own), sum(change < 0 for change in own), len(own))
        for own in contender.by_question(differences)
    ]
    return clustered_share_difference(counts)


def _interval(contender: Contender) -> str:
    return _in_words(clustered_wilson([(sum(own), len(own)) for own in contender.by_question(contender.solved)]))


def _drop_interval(contender: Contender) -> str:
    floats = contender.float_solved
    if floats is None:
        return ""
    drops = {name: floats[name] - rate for name, rate in contender.solved.items() if name in floats}
    return _in_words(_difference(contender, drops))


def _in_words(interval: Interval) -> str:
    return f" (95 %: {100 * interval.low:.1f} to {100 * interval.high:.1f})"


def _broken(contender: Contender, gates: Gates) -> list[str]:
    """Return a sentence for every gate that a round fails."""
    measured = contender.measured
    drop = None if contender.float_solved is None else fmean(contender.float_solved.values()) - contender.accuracy
    rules = [
        ("min_accuracy", contender.accuracy, f"it solves {{:.1%}} of valid{_interval(contender)}, less than {{:.1%}}"),
        (
            "max_drop",
            drop,
            f"its accuracy on valid is {{:.1%}} lower than the float artifact's{_drop_interval(contender)}, more than "
            "{:.1%}",
        ),
        ("max_size_mb", measured.bytes / 1e6, "it takes {:.1f} MB, more than {:g}"),
        ("max_rss_mb", measured.peak_rss_bytes / 1e6, "its runner uses {:.0f} MB of memory, more than {:g}"),
        ("min_tokens_per_s", measured.decode_tokens_per_second, "it generates {:.1f} tokens/s, less than {:g}"),
    ]
    broken = []
    for key, value, sentence in rules:
        bound = getattr(gates, key)
        if bound is None:
            continue
        if value is None:
            broken.append(f"gates.{key}: it could not be measured")
        elif value < bound if key.startswith("min") else value > bound:
            broken.append(f"gates.{key}: {sentence.format(value, bound)}")
    return broken + [f"budgets of {measured.target}: {sentence}" for sentence in measured.broken_budgets]
