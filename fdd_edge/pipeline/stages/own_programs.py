"""The stage that keeps the student's own right programs, if they are trained on."""

from __future__ import annotations

from fdd_edge.operations.own_solutions import collect_own_solutions
from fdd_edge.pipeline.run import Run
from fdd_edge.runs import RoundLayout
from fdd_edge.runs.stage_files import POOL

__all__ = ["keep_own_solutions"]

VERSION = 1


def keep_own_solutions(run: Run, round_dir: RoundLayout) -> None:
    """Keep what the judge's file solved in other ways than its training data; nothing if that is not asked for."""
    if not run.config.feedback.own_solutions:
        return
    run.stages.ensure(
        round_dir.own_solutions,
        collect_own_solutions,
        version=VERSION,
        inputs={
            "split": round_dir.split,
            "answered": round_dir.evaluation(run.named.judge_target.name, run.named.judge.name, POOL),
            "known": run.trained_on(round_dir),
        },
        most=run.config.feedback.own_solutions,
        style=run.config.teacher.style,
        round_number=round_dir.number,
    )
