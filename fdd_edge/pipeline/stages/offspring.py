"""The stage that turns a split into new problems, written by a teacher."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fdd_edge.feedback import EvolveOptions
from fdd_edge.operations.evolve import evolve
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.section_options import take
from fdd_edge.runs import RoundLayout
from fdd_edge.runs.stage_files import POOL

__all__ = ["evolve_problems"]

VERSION = 5


def evolve_problems(run: Run, round_dir: RoundLayout) -> None:
    """Let the teacher write harder problems from easy ones, and similar problems from hard ones."""
    teacher, options = run.named.writer, take(EvolveOptions, run.config.feedback)
    counts_accepted = options.target_new is not None
    run.stages.ensure(
        round_dir.offspring,
        evolve,
        version=VERSION,
        # Any other teacher writes the same whatever the run knows, and need not write again when that changes.
        inputs={
            "split": round_dir.split,
            "used": list(_used(run, round_dir)) if teacher.has_stock else [],
            "known": run.trained_on(round_dir) if counts_accepted else [],
            "protected": run.reported if counts_accepted else {},
            "answered": _answered(run, round_dir) if teacher.is_asked and run.config.teacher.show_failure else None,
        },
        teacher=teacher,
        options=options,
        style=run.config.teacher.style if counts_accepted else "as_written",
        round_number=round_dir.number,
        seed=run.seed + round_dir.number,
    )


def _answered(run: Run, round_dir: RoundLayout) -> Path:
    """Return the judge's evaluation of the labelled problems."""
    return round_dir.evaluation(run.named.judge_target.name, run.named.judge.name, POOL)


def _used(run: Run, round_dir: RoundLayout) -> Iterator[Path]:
    """Yield the problems that the run trains or tests on, and those that earlier rounds were given, accepted or not."""
    yield from run.trained_on(round_dir)
    yield from run.reported.values()
    for number in range(round_dir.number):
        yield run.layout.round(number).evolved
