"""The runs in a folder: which student, how far, how good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdd_edge.config import Config
from fdd_edge.config_file import read_config_source
from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.pipeline.kept_evaluations import best_name
from fdd_edge.pipeline.round_summary import says_untuned_follows, says_would_repeat
from fdd_edge.result_base import Result
from fdd_edge.runs import RoundLayout, RunLayout
from fdd_edge.runs.lock import is_held

__all__ = ["ListedRun", "RunList", "list_runs_in"]


@dataclass(frozen=True)
class ListedRun(Result):
    """One run.

    Attributes:
        path: Its folder.
        student: As its config names it; None if that cannot be read.
        finished: How many rounds have finished.
        rounds: How many its config asks for.
        best: Number of its best round; None if there is none.
        accuracy: Of the judge's artifact on valid, in the best round.
        state: ``finished`` (also if it ended because another round would repeat the last one), ``running``, ``stopped``
            (the same command goes on), or ``damaged``.
    """

    path: Path
    student: str | None
    finished: int
    rounds: int | None
    best: int | None
    accuracy: float | None
    state: str


@dataclass(frozen=True)
class RunList(Result):
    """The runs in a folder; iterating over it yields them.

    Attributes:
        runs: In the order of their paths.
    """

    runs: Sequence[ListedRun]

    def __iter__(self) -> Iterator[ListedRun]:
        return iter(self.runs)

    def __getitem__(self, index: int) -> ListedRun:
        return self.runs[index]

    def __len__(self) -> int:
        return len(self.runs)

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [run.to_dict() for run in self.runs]

    def _shown(self) -> Iterable[tuple[str, object]]:
        return [(str(run.path), f"{run.student}, {run.finished} of {run.rounds} rounds, {run.state}") for run in self]


def list_runs_in(folder: Path) -> RunList:
    """Return the runs in a folder and in its subfolders, or the run that it is.

    Raises:
        FddError: There is no such folder.
    """
    if not folder.is_dir():
        raise FddError(f"{folder} {'is not a folder' if folder.exists() else 'does not exist'}; name one with runs.")
    places = [folder] if _is_run(folder) else [*folder.glob("*"), *folder.glob("*/*")]
    return RunList([_listed(RunLayout(place)) for place in sorted(places) if _is_run(place)])


def _is_run(path: Path) -> bool:
    """Return whether a folder is a run that has begun; other tools have a ``config.yaml`` too."""
    run = RunLayout(path)
    return run.is_run() and run.manifest.is_file()


def _listed(run: RunLayout) -> ListedRun:
    finished = [one for one in run.rounds if one.summary.is_file()]
    best = next((one for one in finished if one.root.name == best_name(run)), None)
    number, accuracy = (None, None) if best is None else (best.number, _accuracy_of(best))
    try:
        source = read_config_source(str(run.config))
        student, rounds = source.get("student"), source.get("rounds", Config.model_fields["rounds"].default)
        name = student.get("model_name_or_path") if isinstance(student, Mapping) else None
        if not isinstance(name, str) or not isinstance(rounds, int):
            raise FddError("no run wrote this config")
    except FddError:
        return ListedRun(run.root, None, len(finished), None, number, accuracy, "damaged")
    state = "running" if is_held(run.lock) else "finished" if _has_ended(finished, rounds) else "stopped"
    return ListedRun(run.root, name, len(finished), rounds, number, accuracy, state)


def _has_ended(finished: Sequence[RoundLayout], rounds: int) -> bool:
    """Return whether nothing is left to do: no round, and no evaluation of the untuned student, which comes last."""
    if not finished:
        return False
    last = finished[-1].summary
    return (len(finished) >= rounds or says_would_repeat(last)) and not says_untuned_follows(last)


def _accuracy_of(round_dir: RoundLayout) -> float | None:
    """Return the judge's accuracy on valid; None if the figures are damaged, or of another version."""
    try:
        return float(parse_json(round_dir.summary.read_text(encoding="utf-8"))["labelled"]["valid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
