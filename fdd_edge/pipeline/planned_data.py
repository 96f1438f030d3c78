"""The problems of a run before it begins: how many there are, how long they are, and which have no program yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from fdd_edge.config import Config
from fdd_edge.event_loop import run_to_end
from fdd_edge.operations.problem_sets import share_of_valid
from fdd_edge.records import Problem
from fdd_edge.resolve.bank import open_bank
from fdd_edge.resolve.dataset import DatasetOptions, find_set, read_set
from fdd_edge.teachers import TEACHERS, Declined, Teacher, load_teacher
from fdd_edge.teachers.language_model.teacher_options import RecordedOptions

__all__ = ["PlannedData", "Shelf"]

_LETTERS = (200.0, 120.0)
"""Letters of a question and of a program, where no problem can be read: about those of GSM8K."""


@dataclass
class Shelf:
    """The sets that were read, so that planning again reads none twice."""

    sets: dict[tuple[object, ...], list[Problem] | None] = field(default_factory=dict)
    solved: dict[tuple[str, str], bool] = field(default_factory=dict)

    def read(self, spec: DatasetOptions, seed: int) -> list[Problem] | None:
        """Return the problems of a set; None for one of the hub that is not in the hub's cache.

        Raises:
            FddError: The set is broken.
        """
        key = (spec.path, spec.name, spec.format, spec.split, spec.subset, spec.revision, spec.max_operations, seed)
        known = self.sets.get(key)
        if key in self.sets and (known is None or (spec.limit is not None and spec.limit <= len(known))):
            return known if known is None else known[: spec.limit]
        found = find_set(spec)
        problems = None if found is None else read_set(spec, found.files, seed=seed).problems
        self.sets[key] = problems
        return problems

    def without_program(self, problems: Sequence[Problem], config: Config) -> dict[str, int]:
        """Return how many problems each teacher that is asked by calls gets, if it solves all; ``""``: unsolved.

        Teachers that make no calls are really asked: it costs nothing.
        """
        open_problems = [problem for problem in problems if problem.program is None]
        for name in config.teacher.rationale:
            model = config.teacher.models.get(name)
            if model is None and name not in TEACHERS:
                continue  # another package's, which may do anything
            if model is not None and not isinstance(model, RecordedOptions):
                return {name: len(open_problems)} if open_problems else {}
            teacher = load_teacher(name) if model is None else open_bank(model.path, name)
            open_problems = self._unsolved(name, teacher, open_problems)
        return {"": len(open_problems)} if open_problems else {}

    def _unsolved(self, name: str, teacher: Teacher, problems: Sequence[Problem]) -> list[Problem]:
        new = [problem for problem in problems if (name, problem.id) not in self.solved]
        if new:
            answers = run_to_end(teacher.rationale(new))
            for problem, answer in zip(new, answers, strict=True):
                self.solved[name, problem.id] = not isinstance(answer, Declined)
        return [problem for problem in problems if not self.solved[name, problem.id]]


@dataclass(frozen=True)
class PlannedData:
    """The problems of a run.

    Attributes:
        seeds: Seed problems, those set apart for valid not counted.
        valid: Problems of valid.
        eval: Problems of each eval set that is known.
        calls: Rationales that a teacher is asked for, by its name; ``""``: problems that nobody has a program for.
        read: Seed problems that could be read.
        reported: Problems of valid and eval that could be read.
        notes: What is not known, a sentence each.
    """

    seeds: int
    valid: int
    eval: dict[str, int]
    calls: dict[str, int]
    read: Sequence[Problem]
    reported: Sequence[Problem]
    notes: Sequence[str]

    @classmethod
    def of(cls, config: Config, shelf: Shelf) -> PlannedData:
        """Count the problems that a config names.

        Raises:
            FddError: A set is broken or missing.
        """
        notes: list[str] = []
        train, n_train = _role("train", config.data.train, config, shelf, notes)
        valid, n_valid = _role("valid", config.data.valid, config, shelf, notes)
        evals = {spec.label: _role("eval", [spec], config, shelf, notes) for spec in config.data.eval}
        if not config.data.valid:
            n_valid = share_of_valid(n_train)
            n_train -= n_valid
        return cls(
            n_train,
            n_valid,
            {label: n for label, (_, n) in evals.items()},
            shelf.without_program([*train, *valid], config),
            train,
            [*valid, *(problem for problems, _ in evals.values() for problem in problems)],
            notes,
        )

    @property
    def letters(self) -> tuple[float, float]:
        """Letters of a question, and of a program where there are some."""
        questions = [len(problem.question) for problem in self.read]
        programs = [len(problem.program) for problem in self.read if problem.program is not None]
        return (fmean(questions) if questions else _LETTERS[0]), (fmean(programs) if programs else _LETTERS[1])


def _role(
    role: str, specs: Iterable[DatasetOptions], config: Config, shelf: Shelf, notes: list[str]
) -> tuple[list[Problem], int]:
    """Return the problems of the sets that are here, and how many there are in all, by their limits."""
    problems: list[Problem] = []
    n = 0
    for spec in specs:
        found = shelf.read(spec, config.seed)
        if found is not None:
            problems += found
            n += len(found)
            continue
        where = f"data.{role}: {spec.path} is not in the hub's cache, and a plan downloads nothing"
        if spec.limit is None:
            notes.append(f"{where}: its problems are not counted. Give it a limit, or run once to fetch it.")
        else:
            notes.append(f"{where}: its limit of {spec.limit:,} counts.")
            n += spec.limit
    return problems, n
