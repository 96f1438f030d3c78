"""The stage that labels a round's problems: easy, hard, borderline, format or lost, by what the judge's file solves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fdd_edge.feedback import Bands
from fdd_edge.operations.split import split
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.section_options import take
from fdd_edge.records import Problem
from fdd_edge.runs import RoundLayout

__all__ = ["label_problems"]

VERSION = 2


def label_problems(
    run: Run, round_dir: RoundLayout, pool: Sequence[Problem], rows: Path, float_rows: Path | None
) -> None:
    """Label problems by the judge's rows; those that only the float artifact solves are lost.

    Args:
        run: The run.
        round_dir: The round.
        pool: The problems.
        rows: The judge's evaluation of them.
        float_rows: The float artifact's evaluation of those that are not easy; None if there is none.
    """
    run.stages.ensure(
        round_dir.split,
        split,
        version=VERSION,
        inputs={"rows": rows, "float_rows": float_rows},
        pool=pool,
        bands=take(Bands, run.config.feedback),
    )
