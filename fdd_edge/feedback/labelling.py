"""Splits a round's problems into easy and hard (FDD, arXiv 2411.14698, section 3.2).

The paper splits by the completions of the training checkpoint; here they come from an exported file on a target.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, get_args

from fdd_edge.feedback.feedback_options import Bands
from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem

__all__ = ["LABELS", "Label", "LabelledProblem", "Split", "pass_rates", "split_problems"]

Label = Literal["easy", "hard", "borderline", "format", "lost"]
LABELS: tuple[Label, ...] = get_args(Label)

_FORMAT_FAILURES = {Verdict.no_program, Verdict.forbidden, Verdict.error, Verdict.limit, Verdict.unfinished}


class LabelledProblem(NamedTuple):
    """A problem, the share of its completions that were correct, and its label."""

    problem: Problem
    pass_rate: float
    label: Label


Split = dict[Label, list[LabelledProblem]]
"""The problems of every label, in the order of labelling. Each problem has one label."""


def pass_rates(completions: Sequence[Completion]) -> dict[str, float]:
    """Return the share of correct answers per problem, from scored completions."""
    return {name: own.count(Verdict.correct) / len(own) for name, own in _by_problem(completions).items()}


def split_problems(
    problems: Sequence[Problem],
    completions: Sequence[Completion],
    bands: Bands,
    *,
    solved_by_float: Collection[str],
) -> Split:
    """Split labelled problems by how often the judge solved them.

    Args:
        problems: The labelled problems.
        completions: Their scored completions, at least one per problem.
        bands: Which pass rates are easy and hard; in between is borderline.
        solved_by_float: Ids of the non-easy problems that the float artifact solves; these are ``lost``.

    Raises:
        KeyError: A problem has no completion.
    """
    verdicts = _by_problem(completions)
    split: Split = {label: [] for label in LABELS}
    for problem in problems:
        if problem.id not in verdicts:
            raise KeyError(problem.id)
        own = verdicts[problem.id]
        rate = own.count(Verdict.correct) / len(own)
        label = _label(own, rate, bands, problem.id in solved_by_float)
        split[label].append(LabelledProblem(problem, rate, label))
    return split


def _by_problem(completions: Sequence[Completion]) -> dict[str, list[Verdict]]:
    verdicts: dict[str, list[Verdict]] = defaultdict(list)
    for completion in completions:
        verdicts[completion.problem_id].append(Verdict(str(completion.verdict)))
    return dict(verdicts)


def _label(verdicts: Sequence[Verdict], rate: float, bands: Bands, float_solves: bool) -> Label:
    """Return the label of one problem.

    ``lost`` takes precedence over ``format``: if the float model solves a problem, the student has learned it, and
    only the quantized file fails.
    """
    if rate >= bands.easy_at:
        return "easy"
    if float_solves:
        return "lost"
    if all(v is Verdict.correct or v in _FORMAT_FAILURES for v in verdicts):
        return "format"
    return "hard" if rate <= bands.hard_at else "borderline"
