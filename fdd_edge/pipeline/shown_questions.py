"""The questions whose answers a run shows: before training, and after every round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fdd_edge.operations.shown_answers import ShownAnswer, choose_questions, read_answers
from fdd_edge.pipeline.run import RunView
from fdd_edge.records import Problem, read_problems
from fdd_edge.runs import RoundLayout
from fdd_edge.runs.stage_files import SHOWN, VALID

__all__ = ["OnAnswers", "Shown", "answers_of_round", "answers_of_untuned", "questions_before", "questions_of"]


@dataclass(frozen=True)
class Shown:
    """What was answered at one point of a run.

    Attributes:
        round: After which round; None before training.
        answers: To the same questions each time.
    """

    round: int | None
    answers: list[ShownAnswer]


OnAnswers = Callable[[Shown], None]


def questions_of(run: RunView) -> dict[str, list[Problem]]:
    """Return the questions by their set, the same in every round: one of the first eval set, the others of valid.

    They are among those that every round answers anyway, so nothing is decoded for them.
    """
    wanted = run.config.questions
    held_out = [name for name in run.reported if name != VALID][: min(1, wanted - 1)] if wanted else []
    counts = {VALID: wanted - len(held_out)} | dict.fromkeys(held_out, 1)
    return {name: choose_questions(read_problems(run.reported[name]), n, run.seed) for name, n in counts.items() if n}


def questions_before(run: RunView) -> list[Problem]:
    """Return the questions that the student is asked before training: those of valid; none without a baseline."""
    return [] if run.config.baseline is None else questions_of(run).get(VALID, [])


def answers_of_round(run: RunView, round_dir: RoundLayout) -> list[ShownAnswer]:
    """Return what the judge's file answered after a round."""
    target, judge = run.named.judge_target.name, run.named.judge.name
    return [
        answer
        for name, problems in questions_of(run).items()
        for answer in read_answers(round_dir.evaluation(target, judge, name), name, problems)
    ]


def answers_of_untuned(run: RunView) -> list[ShownAnswer]:
    """Return what the student answered before training; nothing if it was not asked."""
    folder = run.layout.untuned.evaluation(run.certified_on.name, run.named.judge.name, SHOWN)
    problems = questions_before(run)
    return read_answers(folder, VALID, problems) if problems and folder.is_dir() else []
