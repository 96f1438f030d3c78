"""The stages of a run's data: problem sets, what each round trains on, and what the validation loss is computed on."""

from __future__ import annotations

from fdd_edge.errors import FddError
from fdd_edge.operations.problem_sets import read_problem_sets
from fdd_edge.operations.training_data import extend_training_data, first_training_data, validation_data
from fdd_edge.pipeline.run import Run
from fdd_edge.records import read_problems
from fdd_edge.runs import RoundLayout

__all__ = ["check_reserve", "collect_data", "read_sets", "select_validation"]

_SETS_VERSION = 5
_DATA_VERSION = 5


def read_sets(run: Run) -> None:
    """Read every data set into the run; if a file has changed since, it is read again, which is announced."""
    run.stages.ensure(
        run.layout.data,
        read_problem_sets,
        version=_SETS_VERSION,
        inputs={
            "files": {role: {s.options.label: list(s.files) for s in sets} for role, sets in run.sets.items()},
        },
        train=[fetched.options for fetched in run.sets["train"]],
        valid=[fetched.options for fetched in run.sets["valid"]],
        eval=[fetched.options for fetched in run.sets["eval"]],
        seed=run.seed,
    )


def collect_data(run: Run, round_dir: RoundLayout) -> None:
    """Write the data a round trains on: the seed problems, or everything so far and what was evolved."""
    if round_dir.number == 0:
        run.stages.ensure(
            round_dir.data,
            first_training_data,
            version=_DATA_VERSION,
            inputs={"seed_problems": run.layout.seed_problems, "protected": run.reported},
            teachers=run.config.teacher.rationale,
            fresh=run.reserve is not None,
            seed=run.seed,
        )
        check_reserve(run)
        return
    before = run.layout.round(round_dir.number - 1)
    run.stages.ensure(
        round_dir.data,
        extend_training_data,
        version=_DATA_VERSION,
        inputs={
            "previous": before.train,
            "accepted": before.accepted,
            "rejected": before.turned_down,
            "split": before.split,
            "reserve": run.reserve,
        },
    )


def select_validation(run: Run) -> None:
    """Write the problems of valid that have a program, or get one."""
    run.stages.ensure(
        run.layout.validation,
        validation_data,
        version=_DATA_VERSION,
        inputs={"valid": run.layout.valid},
        is_file=True,
        teachers=run.config.teacher.rationale,
    )


def check_reserve(run: Run) -> None:
    """Refuse a run whose reserve of untrained problems is too small for its rounds.

    Raises:
        FddError: It is.
    """
    if run.reserve is None:
        return
    rounds, limit, n = run.config.rounds, run.config.feedback.limit, len(read_problems(run.reserve))
    if limit * rounds > n:
        raise FddError(
            f"feedback.pool: fresh reserves half of the seed problems, {n}, to be labelled before they are trained on; "
            f"{rounds} rounds with feedback.limit {limit} need {limit * rounds}. Add problems, or lower one of the two."
        )
