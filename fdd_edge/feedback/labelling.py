"""Easy or hard: the split of a round's labelled problems (FDD, arXiv 2411.14698, section 3.2).

The paper splits by the training checkpoint; here the completions come from an exported file on a target.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, get_args

from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem

__all__ = ["LABELS", "Label", "LabelledProblem", "Split", "pass_rates", "split_problems"]

Label = Literal["easy", "hard", "borderline", "format", "lost"]
LABELS: tuple[Label, ...] = get_args(Label)

_FORMAT_FAILURES = {Verdict.no_program, Verdict.forbidden, Verdict.error, Verdict.limit, Verdict.unfinished}


class LabelledProblem(NamedTuple):
    """A problem, how often it was solved, and what follows from that."""

    problem: Problem
    pass_rate: float
    label: Label


Split = dict[Label, list[LabelledProblem]]
"""Every label's problems, in the order they were labelled. Each problem stands under one label."""


def pass_rates(completions: Sequence[Completion]) -> dict[str, float]:
    """Return the share of right answers of each problem, from scored completions."""
    return {name: own.count(Verdict.correct) / len(own) for name, own in _by_problem(completions).items()}


def split_problems(
    problems: Sequence[Problem],
    completions: Sequence[Completion],
    *,
    easy_at: float,
    hard_at: float,
    solved_by_float: Collection[str],
) -> Split:
    """Split labelled problems by how often the judge solved them.

    Args:
        problems: The labelled problems.
        completions: Their scored completions, one or more a problem.
        easy_at: Easy from this pass rate.
        hard_at: Hard up to this pass rate; in between is borderline.
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
        label = _label(own, rate, easy_at, hard_at, problem.id in solved_by_float)
        split[label].append(LabelledProblem(problem, rate, label))
    return split


def _by_problem(completions: Sequence[Completion]) -> dict[str, list[Verdict]]:
    verdicts: dict[str, list[Verdict]] = defaultdict(list)
    for completion in completions:
        verdicts[completion.problem_id].append(Verdict(str(completion.verdict)))
    return dict(verdicts)


def _label(verdicts: Sequence[Verdict], rate: float, easy_at: float, hard_at: float, float_solves: bool) -> Label:
    """Return the label of one problem.

    What quantization took comes before the kind of failure: the float model can do it, so it is neither
    the problem nor its format that has to be learned, but the file that has to hold it.
    """
    if rate >= easy_at:
        return "easy"
    if float_solves:
        return "lost"
    if all(v is Verdict.correct or v in _FORMAT_FAILURES for v in verdicts):
        return "format"
    return "hard" if rate <= hard_at else "borderline"
