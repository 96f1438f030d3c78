"""The evaluations that a path holds: those of a run, of a round, or of folders that ``fdd-edge eval -o`` wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.evaluation import ScoredReply
from fdd_edge.feedback import LABELS
from fdd_edge.operations.evaluate import Evaluation, read_evaluation
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.records import Problem, read_problems
from fdd_edge.resolve.model import read_manifest
from fdd_edge.runs import RoundLayout, RunLayout
from fdd_edge.runs.stage_files import NON_EASY, POOL, SHOWN, VALID, EvaluationFiles, SplitFiles

__all__ = ["KeptEvaluation", "best_name", "find_evaluations", "find_round", "weakness_of"]

_PARTS = 4
"""Folders between a run and an evaluation of it: round, ``eval``, target, recipe; the set is the evaluation's own."""

_NEXT_TO_NOTHING = 0.05


@dataclass(frozen=True)
class KeptEvaluation:
    """One artifact's replies to one set of problems.

    Attributes:
        folder: Where it lies.
        artifact: What answered, and in a run also of which round and where, such as
            ``round-01 gguf-q4_0 on rpi5``.
        dataset: Name of the set.
        labels: The label of each problem, by id, if a round labelled them by this set.
        sources: The files of a run that hold the set's problems: rows of an earlier version do not.
        in_run: Whether a run made it. Outside of one, the names of a run's own sets mean nothing.
    """

    folder: Path
    artifact: str
    dataset: str
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)
    sources: Sequence[Path] = field(default=(), repr=False)
    in_run: bool = False

    @property
    def is_labelling(self) -> bool:
        """Whether the problems are those that a round labels, not some that it reports on."""
        return self.in_run and self.dataset in (POOL, NON_EASY)

    @property
    def is_reported(self) -> bool:
        """Whether the set is there to be reported on: neither labelled, nor a few questions that are only shown."""
        return not (self.is_labelling or (self.in_run and self.dataset == SHOWN))

    @property
    def chooses(self) -> bool:
        """Whether a run chose its best round by these problems, so that they favour it."""
        return self.dataset == VALID and bool(self.sources)

    def replies(self) -> list[ScoredReply]:
        """Read the scored replies, each with its question and gold answer if anything holds them.

        Raises:
            FddError: They cannot be read.
        """
        return self._replies

    @cached_property
    def _replies(self) -> list[ScoredReply]:
        """The replies, read once: an evaluation is often compared with several others."""
        return [self._with_problem(row) for row in read_rows(self.folder)]

    def evaluation(self) -> Evaluation:
        """Read summary and timing.

        Raises:
            FddError: They cannot be read.
        """
        try:
            return read_evaluation(self.folder)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FddError(f"{self.folder} is not an evaluation ({error}); evaluate again.") from None

    def _with_problem(self, row: ScoredReply) -> ScoredReply:
        if row.question is not None or (problem := self._problems.get(row.problem_id)) is None:
            return row
        return replace(row, question=problem.question, gold=problem.answer)

    @cached_property
    def _problems(self) -> dict[str, Problem]:
        return {problem.id: problem for problem in _problems_in(self.sources)}


def find_evaluations(path: Path) -> list[KeptEvaluation]:
    """Return the evaluations that a path names.

    Args:
        path: A run (the judge's artifact in its best round, or in its newest finished one if none is the best), a round
            of one, an evaluation folder, or a folder of these.

    Raises:
        FddError: It holds none.
    """
    if not path.is_dir():
        what = "is not a folder" if path.exists() else "does not exist"
        raise FddError(f"{path} {what}; name a run, a round, or a folder that fdd-edge eval -o wrote.")
    if (round_dir := find_round(path)) is not None:
        return _of_round(RunLayout(round_dir.root.parent), round_dir)
    inside = (folder for pattern in ("*", "*/*") for folder in sorted(path.glob(pattern)))
    folders = [path] if _is_evaluation(path) else list(filter(_is_evaluation, inside))
    if not folders:
        raise FddError(
            f"{path} holds no evaluation; name a run, a round, or a folder that fdd-edge eval -o wrote, such as "
            "RUN/round-00/eval/TARGET/RECIPE."
        )
    return [_opened(folder) for folder in folders]


def find_round(path: Path) -> RoundLayout | None:
    """Return the round that a run or a round names; None if the path is neither.

    Raises:
        FddError: It is not finished, or no round of the run is.
    """
    run = RunLayout(path)
    if run.is_run():
        finished = [one for one in run.rounds if one.summary.is_file()]
        if not finished:
            raise FddError(f"{path} has no finished round yet; finish one with: fdd-edge run {path}")
        best = best_name(run)
        return next((one for one in finished if one.root.name == best), finished[-1])
    run = RunLayout(path.resolve().parent)
    if not run.is_run() or path.resolve() not in [one.root.resolve() for one in run.rounds]:
        return None
    if not RoundLayout(path.resolve()).summary.is_file():
        raise FddError(f"{path} is not finished yet; finish it with: fdd-edge run {run.root}")
    return RoundLayout(path.resolve())


def best_name(run: RunLayout) -> str | None:
    """Return the name of a run's best round; None if it has none, or a broken link to it."""
    try:
        return run.best.readlink().name
    except OSError:
        return None


def weakness_of(path: Path) -> str | None:
    """Return a sentence if a path names a run or a round that solved next to nothing of its validation problems."""
    try:
        round_dir = find_round(path)
        found = [] if round_dir is None else _of_round(RunLayout(round_dir.root.parent), round_dir)
        summary = next((one.evaluation().summary for one in found if one.dataset == VALID), None)
    except FddError:
        return None  # what is wrong with it is said by whoever needs it
    if summary is None or summary.accuracy > _NEXT_TO_NOTHING:
        return None
    solved = f"{summary.correct} of {summary.n} validation problems"
    return f"{path} solved {solved} when it was trained, so most of its answers are wrong."


def _is_evaluation(folder: Path) -> bool:
    return EvaluationFiles(folder).rows.is_file()


def _of_round(run: RunLayout, round_dir: RoundLayout) -> list[KeptEvaluation]:
    """Return the evaluations of the judge's artifact on the target that labels, valid first.

    Raises:
        FddError: There are none.
    """
    judge = read_manifest(run).facts.get("judge", "")
    found = [folder for folder in sorted(round_dir.evaluations.glob(f"*/{judge}/*")) if _is_evaluation(folder)]
    targets = [folder.parent.parent for folder in found]
    labelling = [folder.parent.parent for folder in found if folder.name == POOL]
    chosen = next(iter(labelling or targets), None)
    if chosen is None:
        raise FddError(f"{round_dir.root} holds no evaluation of {judge}; resume the run with: fdd-edge run {run.root}")
    own = [folder for folder in found if folder.parent.parent == chosen]
    return [_opened(folder) for folder in sorted(own, key=lambda folder: (folder.name != VALID, folder.name))]


def _opened(folder: Path) -> KeptEvaluation:
    """Return an evaluation with what its run, or its summary, says about it."""
    parents = folder.resolve().parents
    run = RunLayout(parents[_PARTS]) if len(parents) > _PARTS else None
    if run is None or not run.is_run():
        kept = KeptEvaluation(folder, folder.resolve().name, "problems")
        facts = kept.evaluation().facts
        artifact, dataset = facts.artifact.get("name"), facts.data.get("name")
        return replace(kept, artifact=_one_line(artifact or kept.artifact), dataset=_one_line(dataset or kept.dataset))
    target, recipe, dataset = folder.resolve().parts[-3:]
    round_dir = RoundLayout(parents[_PARTS - 1])
    artifact = f"{round_dir.name} {recipe}" + ("" if target == "local" else f" on {target}")
    files = [run.eval_set(dataset)]
    labels: dict[str, str] = {}
    if dataset == VALID:
        files = [run.valid]
    elif dataset in (POOL, NON_EASY):
        files = [run.round(0).reserve, round_dir.train]
        split = SplitFiles(round_dir.split)
        labels = {p.id: label for label in LABELS for p in _problems_in([split.label(label)])}
    return KeptEvaluation(folder, artifact, dataset, labels, [file for file in files if file.is_file()], in_run=True)


def _problems_in(files: Iterable[Path]) -> list[Problem]:
    return [problem for file in files if file.is_file() for problem in read_problems(file)]


def _one_line(name: object) -> str:
    """Return a name that a folder states: whoever wrote it, it takes no line of its own."""
    return " ".join(str(name).split())
