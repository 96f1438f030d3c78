"""The data of a run and of its rounds, each as a stage of its folder."""

from __future__ import annotations

from typing import Any

from fdd_edge.config import DataConfig
from fdd_edge.errors import FddError
from fdd_edge.operations import problem_sets as problems
from fdd_edge.pipeline.run import Run
from fdd_edge.records import read_problems
from fdd_edge.resolve.dataset import DatasetSpec, dataset_files

__all__ = ["check_reserve", "dataset_specs", "gather_data", "read_problem_sets"]


def dataset_specs(data: DataConfig) -> dict[str, list[DatasetSpec]]:
    """Return what a stage needs to know of data sets, by role."""
    return {
        role: [
            DatasetSpec(
                d.label, d.path, d.format, d.limit, d.split, d.subset, d.revision, max_operations=d.max_operations
            )
            for d in datasets
        ]
        for role, datasets in (("train", data.train), ("valid", data.valid), ("eval", data.eval))
    }


def read_problem_sets(this: Run) -> None:
    """Read every data set into the run; if a file has changed since, it is read again, which is announced."""
    sets = this.sets
    flat = [spec for specs in sets.values() for spec in specs]
    this.stages.ensure(
        this.layout.data,
        lambda out: problems.write_sets(
            out, train=sets["train"], valid=sets["valid"], eval=sets["eval"], seed=this.config.seed
        ),
        version=problems.SETS_VERSION,
        params={"seed": this.config.seed, "sets": {role: [spec.params() for spec in s] for role, s in sets.items()}},
        inputs={f"{i}": path for i, path in enumerate(dataset_files(flat))},
    )


def gather_data(this: Run, number: int) -> None:
    """Write the data a round trains on: the seed problems, or everything so far and what was evolved."""
    place = this.layout.round(number)
    if number == 0:
        settings: dict[str, Any] = {"teachers": this.config.teacher.rationale}
        if this.reserve is not None:
            settings |= {"fresh": True, "seed": this.config.seed}
        this.stages.ensure(
            place.data,
            lambda out: problems.seed_training_data(this.layout.seed_problems, this.reported, out, **settings),
            version=problems.DATA_VERSION,
            params=settings,
            inputs=this.protected | {"seed": this.layout.seed_problems},
        )
        check_reserve(this)
        return
    before, reserve = this.layout.round(number - 1), this.reserve
    made_from = {"train": before.train, "curated": before.curated, "split": before.split}
    this.stages.ensure(
        place.data,
        lambda out: problems.extend_training_data(
            before.train, before.accepted, before.turned_down, before.split, out, reserve=reserve
        ),
        version=problems.DATA_VERSION,
        params={},
        inputs=made_from | ({} if reserve is None else {"reserve": reserve}),
    )


def check_reserve(this: Run) -> None:
    """Refuse a run whose reserve of problems that were never trained on does not last for its rounds.

    Raises:
        FddError: It does not.
    """
    if this.reserve is None:
        return
    rounds, limit, n = this.config.rounds, this.config.feedback.limit, len(read_problems(this.reserve))
    if limit * rounds > n:
        raise FddError(
            f"feedback.pool: fresh keeps half of the seed problems, {n}, to be labelled before they are trained on; "
            f"feedback.limit {limit} for rounds {rounds} needs {limit * rounds}. Give it more problems, or lower one."
        )
