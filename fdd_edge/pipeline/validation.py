"""All that a run's start checks, without starting it: a trial start on a copy of what a start reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fdd_edge.config import Config
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.start import try_start
from fdd_edge.records import read_problems
from fdd_edge.result_base import Result
from fdd_edge.runs import RunLayout
from fdd_edge.runs.marked_folder import temporary_folder
from fdd_edge.safetensors_folder import count_parameters

__all__ = ["ValidConfig", "validate"]


@dataclass(frozen=True)
class ValidConfig(Result):
    """A config that a run can start with.

    Attributes:
        name: What it is called.
        student: Its name.
        parameters: Its weights.
        problems: The number of seed problems, of those that choose the best round, and of each set that is reported.
        recipes: The artifacts that each round makes, and the one that labels problems.
        targets: Where they run.
        teachers: Who writes programs, and who writes new problems.
        output: The run folder.
        rounds_done: Finished rounds that are there already.
    """

    name: str
    student: str
    parameters: int
    problems: Mapping[str, int] = field(repr=False)
    recipes: tuple[str, ...] = field(repr=False)
    targets: tuple[str, ...] = field(repr=False)
    teachers: tuple[str, ...] = field(repr=False)
    output: Path
    rounds_done: int

    def _shown(self) -> Iterable[tuple[str, object]]:
        return [(name, value) for name, value in self.to_dict().items() if value != ()]


def validate(config: Config, name: str, *, parity: bool = True) -> ValidConfig:
    """Check a config as a run's start does.

    The student, the problems and every model and target that it names are opened; what has to be downloaded goes to the
    cache. A run that is in the run folder is resumed on a copy of what its start reads; the folder is only read.

    Args:
        config: The checked config.
        name: What it is called.
        parity: Whether artifacts will get certificates.

    Raises:
        FddError: Something is missing or wrong, or another process works on the run.
    """
    with temporary_folder("validate") as place:
        run = try_start(config, place / "run", parity=parity)
        return _valid(run, name, RunLayout(config.output_path))


def _valid(run: Run, name: str, layout: RunLayout) -> ValidConfig:
    named, files = run.named, {"train": run.layout.seed_problems, **run.reported}
    return ValidConfig(
        name=name,
        student=run.student.name,
        parameters=count_parameters(run.student.folder),
        problems={role: len(read_problems(path)) for role, path in files.items()},
        recipes=tuple(dict.fromkeys([*named.recipes, named.judge.name])),
        targets=tuple(dict.fromkeys(target.name for target in (named.judge_target, *named.targets))),
        teachers=tuple(dict.fromkeys(teacher.name for teacher in (*named.solvers, named.writer))),
        output=layout.root,
        rounds_done=sum(round_dir.summary.is_file() for round_dir in layout.rounds) if layout.is_run() else 0,
    )
