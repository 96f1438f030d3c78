"""The stage that reads a run's data sets: seed problems, valid, and the eval sets."""

from __future__ import annotations

from fdd_edge.operations.problem_sets import read_problem_sets
from fdd_edge.pipeline.run import Run

__all__ = ["read_sets"]

VERSION = 6


def read_sets(run: Run) -> None:
    """Read every data set into the run; if a file has changed since, it is read again, which is announced."""
    run.stages.ensure(
        run.layout.data,
        read_problem_sets,
        version=VERSION,
        inputs={
            "files": {role: {s.options.label: list(s.files) for s in sets} for role, sets in run.sets.items()},
        },
        train=[fetched.options for fetched in run.sets["train"]],
        valid=[fetched.options for fetched in run.sets["valid"]],
        eval=[fetched.options for fetched in run.sets["eval"]],
        seed=run.seed,
        # Only if it is so, or the stages of runs that do not need it would be outdated.
        **({"name_sources": True} if run.config.distinguishes_sets else {}),
    )
