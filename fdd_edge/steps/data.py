"""The data of a run and of its rounds, each as a stage of its folder."""

from __future__ import annotations

from fdd_edge.config import DataConfig
from fdd_edge.stages import problems
from fdd_edge.stages.datasets import DatasetSpec, dataset_files
from fdd_edge.steps.run import Run

__all__ = ["dataset_specs", "gather_data", "read_problem_sets"]


def dataset_specs(data: DataConfig) -> dict[str, list[DatasetSpec]]:
    """Return what a stage needs to know of data sets, by role."""
    return {
        role: [DatasetSpec(d.label, d.path, d.format, d.limit, d.split, d.subset, d.revision) for d in datasets]
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
    protected = this.reported
    inputs = {f"protected/{name}": path for name, path in protected.items()}
    if number == 0:
        teachers = this.config.teacher.rationale
        this.stages.ensure(
            place.data,
            lambda out: problems.seed_training_data(this.layout.seed_problems, protected, out, teachers=teachers),
            version=problems.DATA_VERSION,
            params={"teachers": teachers},
            inputs=inputs | {"seed": this.layout.seed_problems},
        )
        return
    before = this.layout.round(number - 1)
    lost = before.split / "lost.jsonl"
    this.stages.ensure(
        place.data,
        lambda out: problems.extend_training_data(before.train, before.evolved, lost, protected, out),
        version=problems.DATA_VERSION,
        params={},
        inputs=inputs | {"train": before.train, "evolved": before.evolved, "lost": lost},
    )
