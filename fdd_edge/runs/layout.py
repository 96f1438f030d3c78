"""Where everything is inside a run folder. Only ``runs`` knows the name of a file or folder in it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.runs.atomic import partial_of
from fdd_edge.runs.own_files import refuse_links
from fdd_edge.runs.stage_files import CuratedFiles, OffspringFiles, ProblemSetFiles, TrainingDataFiles
from fdd_edge.runs.stage_words import ROUND, UNTUNED_FOLDER, describe_stage

__all__ = ["ArtifactsLayout", "RoundLayout", "RunLayout"]


def _is_round_name(name: str) -> bool:
    return name.startswith(ROUND) and name.removeprefix(ROUND).isdecimal()


@dataclass(frozen=True)
class ArtifactsLayout:
    """A model's exported files and what was measured on them: a round's, or the untuned student's."""

    root: Path

    @property
    def name(self) -> str:
        """What messages call it: ``round-00``, or ``untuned``."""
        return self.root.name

    @property
    def artifacts(self) -> Path:
        """Folder of all exported artifacts, one folder per recipe."""
        return self.root / "artifacts"

    def artifact(self, recipe: str) -> Path:
        """Folder of one exported artifact."""
        return self.artifacts / recipe

    def parity(self, recipe: str) -> Path:
        """The parity certificate of an artifact."""
        return self.root / "parity" / f"{recipe}.json"

    @property
    def merged(self) -> Path | None:
        """The Hugging Face folder that the artifacts are made from; None if it is the student's own."""
        return None

    @property
    def imatrix(self) -> Path:
        """The importance matrix measured on the run's own problems, if a recipe asks for one."""
        return self.root / "imatrix.gguf"

    @property
    def evaluations(self) -> Path:
        """Folder of all evaluations: TARGET/RECIPE/DATASET."""
        return self.root / "eval"

    def evaluation(self, target: str, recipe: str, dataset: str) -> Path:
        """Folder of one artifact's completions of one data set on one target."""
        return self.evaluations / target / recipe / dataset

    def bench(self, target: str, recipe: str) -> Path:
        """What one artifact costs on one target."""
        return self.evaluations / target / recipe / "bench.json"

    def throughput(self, target: str) -> Path:
        """How fast one target decodes."""
        return self.evaluations / target / "throughput.json"

    @property
    def found(self) -> list[Path]:
        """The outputs of stages that are here, whether a run made them or not."""
        places = (*self.artifacts.glob("[!.]*"), *self.parity("*").parent.glob("[!.]*"))
        evaluated = [*self.evaluations.glob("[!.]*/[!.]*/[!.]*"), *self.evaluations.glob("[!.]*/[!.]*.json")]
        return sorted([*places, *evaluated, *(path for path in self._single if path.exists())])

    @property
    def _single(self) -> tuple[Path, ...]:
        """The outputs of which there is one."""
        return (self.imatrix,)


@dataclass(frozen=True)
class RoundLayout(ArtifactsLayout):
    """One round: data, adapter, merged student, artifacts, evaluations, split, offspring."""

    @property
    def number(self) -> int:
        """Which round it is, counted from 0."""
        return int(self.root.name.removeprefix(ROUND))

    @property
    def data(self) -> Path:
        """Folder of the round's training data."""
        return self.root / "data"

    @property
    def train(self) -> Path:
        """The problems the round trains on."""
        return TrainingDataFiles(self.data).train

    @property
    def rejected(self) -> Path:
        """The problems that were kept out, each with its reason."""
        return TrainingDataFiles(self.data).rejected

    @property
    def reserve(self) -> Path:
        """Seed problems that are labelled before they are trained on; only in the first round's data."""
        return TrainingDataFiles(self.data).reserve

    @property
    def reference(self) -> Path:
        """What the float model outputs for the prompts of the certificates."""
        return self.root / "parity" / "reference.safetensors"

    @property
    def adapter(self) -> Path:
        """Folder of the LoRA adapter."""
        return self.root / "adapter"

    @property
    def merged(self) -> Path:
        """The merged student, a Hugging Face folder in float32."""
        return self.root / "merged"

    @property
    def split(self) -> Path:
        """Folder of the labelled problems."""
        return self.root / "split"

    @property
    def offspring(self) -> Path:
        """Folder of what the teacher wrote for the split."""
        return self.root / "evolved"

    @property
    def evolved(self) -> Path:
        """The new problems, not yet curated."""
        return OffspringFiles(self.offspring).problems

    @property
    def declined(self) -> Path:
        """Parents for which the teacher wrote nothing."""
        return OffspringFiles(self.offspring).declined

    @property
    def own_solutions(self) -> Path:
        """Folder of the student's own right programs; absent unless they are trained on."""
        return self.root / "own"

    @property
    def curated(self) -> Path:
        """Folder of the new problems after curation."""
        return self.root / "curated"

    @property
    def accepted(self) -> Path:
        """New problems that the next round trains on."""
        return CuratedFiles(self.curated).accepted

    @property
    def turned_down(self) -> Path:
        """New problems that it does not train on, each with its reason."""
        return CuratedFiles(self.curated).rejected

    @property
    def summary(self) -> Path:
        """The figures of the round's table."""
        return self.root / "summary.json"

    def is_model(self, output: Path) -> bool:
        """Return whether an output is one of those that ``keep`` deletes to save space."""
        return output in (self.merged, self.reference) or output.parent == self.artifacts

    @property
    def _single(self) -> tuple[Path, ...]:
        made = (self.data, self.adapter, self.merged, self.split, self.offspring, self.own_solutions, self.curated)
        return (self.imatrix, *made)


@dataclass(frozen=True)
class RunLayout:
    """A run folder."""

    root: Path

    @property
    def config(self) -> Path:
        """The config as the user wrote it, ``${ENV}`` unresolved."""
        return self.root / "config.yaml"

    @property
    def manifest(self) -> Path:
        """What every finished stage was made from."""
        return self.root / "manifest.json"

    @property
    def lock(self) -> Path:
        """Held while a process works on the run."""
        return self.root / "lock"

    @property
    def data(self) -> Path:
        """Folder of the problem sets as they were read."""
        return self.root / "data"

    @property
    def seed_problems(self) -> Path:
        """Problems to train on, before a teacher adds missing programs."""
        return ProblemSetFiles(self.data).seeds

    @property
    def valid(self) -> Path:
        """Problems that choose the best round; never trained on."""
        return ProblemSetFiles(self.data).valid

    @property
    def validation(self) -> Path:
        """The problems of ``valid`` that have a program or get one; only for the validation loss."""
        return self.root / "validation.jsonl"

    @property
    def skipped(self) -> Path:
        """Items of the data sets that have no numeric answer."""
        return ProblemSetFiles(self.data).skipped

    def eval_set(self, name: str) -> Path:
        """One set that is only reported on."""
        return ProblemSetFiles(self.data).eval_set(name)

    @property
    def plan(self) -> Path:
        """What the run was expected to take, and the most disk and memory that it has taken."""
        return self.root / "plan.json"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's event files, a folder per round."""
        return self.root / "tensorboard"

    @property
    def batches(self) -> Path:
        """Requests to language models that wait for replies from a batch."""
        return self.root / "batches"

    @property
    def untuned(self) -> ArtifactsLayout:
        """The student before training."""
        return ArtifactsLayout(self.root / UNTUNED_FOLDER)

    def round(self, number: int) -> RoundLayout:
        """The folder of one round."""
        return RoundLayout(self.root / f"{ROUND}{number:02d}")

    def attention(self, target: str) -> Path:
        """Which attention one target decodes with, in all rounds; it was measured in the first one."""
        return self.round(0).evaluations / target / "attention.json"

    @property
    def rounds(self) -> list[RoundLayout]:
        """The folders of all rounds that were begun, in their order."""
        found = sorted(self.root.glob(f"{ROUND}*"))
        return [RoundLayout(path) for path in found if path.name.removeprefix(ROUND).isdecimal()]

    @property
    def newest(self) -> RoundLayout:
        """The last round that was begun; the first if none was."""
        return (self.rounds or [self.round(0)])[-1]

    @property
    def best(self) -> Path:
        """Link to the best round."""
        return self.root / "best"

    def seconds_by_kind(self, stages: Mapping[str, float]) -> dict[str, float]:
        """Add up what stages took, by what they do: training, evaluation, certificates, export, teacher, the rest.

        Args:
            stages: Seconds by the path of the output inside the run folder.
        """
        found = dict.fromkeys(("training", "evaluation", "certificates", "export", "teacher", "rest"), 0.0)
        for name, seconds in stages.items():
            found[describe_stage(name).kind] += seconds
        return found

    def is_run(self) -> bool:
        """Return whether this folder holds a run: its config is the first file written."""
        return self.config.is_file()

    def is_free(self) -> bool:
        """Return whether a run can begin here: the folder is missing, or holds only what a killed start left."""
        if not self.root.exists():
            return not self.root.is_symlink()
        left = {self.lock, partial_of(self.config)}
        return self.root.is_dir() and all(path in left for path in self.root.iterdir())

    def has_work(self) -> bool:
        """Return whether a run has begun more than its first training data: only then is there anything to keep.

        The folders decide, not the manifest, which may be lost and does not know about unfinished work.
        """
        at_start = {made for path in self._at_start for made in (path, partial_of(path))}
        first = self.round(0)
        held = [path for folder in (self.root, first.root) if folder.is_dir() for path in folder.iterdir()]
        return any(path not in {*at_start, first.root} for path in held)

    def is_format_1(self) -> bool:
        """Return whether a folder without a manifest was written before format 2, where ``evolved`` was a file."""
        return any((round_dir.root / "evolved.jsonl").is_file() for round_dir in self.rounds)

    def copy_start(self, place: Path) -> RunLayout:
        """Copy what a start reads of a run to another folder: manifest, problem sets, reserve, figures of the rounds.

        Args:
            place: A folder that does not exist yet; it stays away if there is nothing to copy.

        Returns:
            The copy.
        """
        summaries = (round_dir.summary for round_dir in self.rounds)
        for file in (self.manifest, self.round(0).reserve, *summaries, *self.data.rglob("*")):
            if file.is_file():
                copied = place / file.relative_to(self.root)
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, copied)
        return RunLayout(place)

    @property
    def _at_start(self) -> tuple[Path, ...]:
        """What exists before any work is done."""
        return (self.manifest, self.config, self.lock, self.plan, self.data, self.round(0).data)

    def discard(self, *, folder: bool) -> None:
        """Delete what a run without work left, and its folder if asked to; nothing else in it."""
        for path in (self.data, self.round(0).root):
            for made in (path, partial_of(path)):
                shutil.rmtree(made, ignore_errors=True)
        for path in (self.manifest, self.config, self.lock, self.plan):
            for made in (path, partial_of(path)):
                made.unlink(missing_ok=True)
        if folder:
            with suppress(OSError):  # somebody has put something there since
                self.root.rmdir()

    def refuse_links(self) -> None:
        """Refuse a run in which a name that this tool writes to is a link, as a stranger's run may hold one.

        Raises:
            FddError: There is a link other than ``best``, or that one does not lead to a round.
        """
        refuse_links(self.root, allowed=(self.best, partial_of(self.best)))
        if self.best.is_symlink() and not _is_round_name(str(self.best.readlink())):
            raise FddError(f"{self.best} does not lead to a round of this run; delete it.")

    def link_best(self, name: str | None) -> None:
        """Point ``best`` at a round, or remove it.

        Raises:
            FddError: Something else is at its path.
        """
        if self.best.exists() and not self.best.is_symlink():
            raise FddError(f"{self.best} is no longer the link to the best round; move it elsewhere.")
        if name is None:
            self.best.unlink(missing_ok=True)
            return
        partial = partial_of(self.best)
        if partial.exists() and not partial.is_symlink():
            raise FddError(f"{partial} is in the way, and fdd-edge did not make it; move it elsewhere.")
        partial.unlink(missing_ok=True)
        partial.symlink_to(name)
        partial.replace(self.best)
