"""The only place that knows the name of a file or folder inside a run."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.runs.atomic import partial_of

__all__ = [
    "MODEL_FILE",
    "NON_EASY",
    "ONNX_FILE",
    "POOL",
    "VALID",
    "ArtifactsLayout",
    "RoundLayout",
    "RunLayout",
    "find_model",
]

MODEL_FILE, ONNX_FILE, SEQ2SEQ_FILE = "model.gguf", "model.onnx", "decoder_model.onnx"
"""What names a model: a GGUF, a decoder as ONNX, and the decoder of an encoder-decoder, under optimum's name."""

VALID, POOL, NON_EASY = "valid", "pool", "non-easy"
"""Sets of a run's own, among the folders of an evaluation: what chooses the best round, what is labelled, and what of
that the judge missed."""
_ROUND = "round-"


def find_model(folder: Path) -> Path:
    """Return the model file of an artifact's folder: its ONNX graph where it has one, else its GGUF."""
    graphs = (folder / name for name in (ONNX_FILE, SEQ2SEQ_FILE))
    return next((graph for graph in graphs if graph.is_file()), folder / MODEL_FILE)


@dataclass(frozen=True)
class ArtifactsLayout:
    """A model's exported files and what was measured on them: a round's, or the untuned student's."""

    root: Path

    def artifact(self, recipe: str) -> Path:
        """Folder of one exported artifact."""
        return self.root / "artifacts" / recipe

    def model(self, recipe: str) -> Path:
        """The model file of an artifact: a GGUF, or an ONNX graph where there is one."""
        return find_model(self.artifact(recipe))

    def parity(self, recipe: str) -> Path:
        """The parity certificate of an artifact."""
        return self.root / "parity" / f"{recipe}.json"

    @property
    def reference(self) -> Path:
        """What the float model does on the prompts of the certificates."""
        return self.root / "parity" / "reference.safetensors"

    @property
    def imatrix(self) -> Path:
        """What goes into each matrix, measured on the run's own problems; only where a recipe asks for it."""
        return self.root / "imatrix.gguf"

    def evaluation(self, target: str, recipe: str, dataset: str) -> Path:
        """Folder of one artifact's completions of one data set on one target."""
        return self.root / "eval" / target / recipe / dataset

    def bench(self, target: str, recipe: str) -> Path:
        """What one artifact costs on one target."""
        return self.root / "eval" / target / recipe / "bench.json"

    def pace(self, target: str) -> Path:
        """How fast one target decodes."""
        return self.root / "eval" / target / "pace.json"


@dataclass(frozen=True)
class RoundLayout(ArtifactsLayout):
    """One round: data, adapter, merged student, artifacts, evaluations, split, offspring."""

    @property
    def number(self) -> int:
        """Which round it is, counted from 0."""
        return int(self.root.name.removeprefix(_ROUND))

    @property
    def data(self) -> Path:
        """Folder of the round's training data."""
        return self.root / "data"

    @property
    def train(self) -> Path:
        """The problems the round trains on."""
        return self.data / "train.jsonl"

    @property
    def rejected(self) -> Path:
        """The problems that were kept out, each with its reason."""
        return self.data / "rejected.jsonl"

    @property
    def reserve(self) -> Path:
        """Seed problems that are labelled before they are trained on; in the first round's data alone."""
        return self.data / "reserve.jsonl"

    @property
    def adapter(self) -> Path:
        """The LoRA adapter, in PEFT's format."""
        return self.root / "adapter"

    @property
    def merged(self) -> Path:
        """The merged student, a Hugging Face folder in float32."""
        return self.root / "merged"

    @property
    def split(self) -> Path:
        """Folder of the labelled problems, one file a label."""
        return self.root / "split"

    @property
    def evolved(self) -> Path:
        """What the teacher wrote after the split."""
        return self.root / "evolved.jsonl"

    @property
    def curated(self) -> Path:
        """Folder of the same problems, parted by what the next round may train on."""
        return self.root / "curated"

    @property
    def accepted(self) -> Path:
        """New problems that the next round trains on."""
        return self.curated / "accepted.jsonl"

    @property
    def turned_down(self) -> Path:
        """New problems that it does not, each with its reason."""
        return self.curated / "rejected.jsonl"

    @property
    def summary(self) -> Path:
        """The figures of the round's table."""
        return self.root / "summary.json"


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
        """Problems to train on, before a teacher gave them programs."""
        return self.data / "seed.jsonl"

    @property
    def valid(self) -> Path:
        """Problems that choose the best round; never trained on."""
        return self.data / "valid.jsonl"

    @property
    def validation(self) -> Path:
        """The problems of ``valid`` with programs, where teachers have them: for the validation loss alone."""
        return self.root / "validation.jsonl"

    @property
    def skipped(self) -> Path:
        """Items of the data sets that have no numeric answer."""
        return self.data / "skipped.jsonl"

    def eval_set(self, name: str) -> Path:
        """One set that is only reported on."""
        return self.data / "eval" / f"{name}.jsonl"

    @property
    def untuned(self) -> ArtifactsLayout:
        """The student before training."""
        return ArtifactsLayout(self.root / "untuned")

    def round(self, number: int) -> RoundLayout:
        """The folder of one round."""
        return RoundLayout(self.root / f"{_ROUND}{number:02d}")

    @property
    def newest(self) -> RoundLayout:
        """The last round that was begun; the first where none was."""
        names = sorted(path.name for path in self.root.glob(f"{_ROUND}*"))
        return RoundLayout(self.root / names[-1]) if names else self.round(0)

    @property
    def best(self) -> Path:
        """Link to the best round."""
        return self.root / "best"

    def is_run(self) -> bool:
        """Say whether this folder holds a run: its config is the first thing written."""
        return self.config.is_file()

    def is_free(self) -> bool:
        """Say whether a new run may begin here: nothing is there but what a call killed at its very start left."""
        if not self.root.exists():
            return not self.root.is_symlink()
        left = {self.lock, partial_of(self.config)}
        return self.root.is_dir() and all(path in left for path in self.root.iterdir())

    def has_work(self) -> bool:
        """Say whether a run has begun more than its first training data: only then is there anything to keep.

        The folders tell, not the manifest: that may be lost, and does not know of what is under way.
        """
        at_start = {made for path in self._at_start for made in (path, partial_of(path))}
        first = self.round(0)
        held = [path for folder in (self.root, first.root) if folder.is_dir() for path in folder.iterdir()]
        return any(path not in {*at_start, first.root} for path in held)

    @property
    def _at_start(self) -> tuple[Path, ...]:
        """What there is before any work is done."""
        return (self.manifest, self.config, self.lock, self.data, self.round(0).data)

    def discard(self, *, folder: bool) -> None:
        """Delete what a run without work left, and its folder if asked to; nothing of anybody else's."""
        for path in (self.data, self.round(0).root):
            for made in (path, partial_of(path)):
                shutil.rmtree(made, ignore_errors=True)
        for path in (self.manifest, self.config, self.lock):
            for made in (path, partial_of(path)):
                made.unlink(missing_ok=True)
        if folder:
            with suppress(OSError):  # somebody has put something there since
                self.root.rmdir()

    def link_best(self, name: str | None) -> None:
        """Point ``best`` at a round, or at none.

        Raises:
            FddError: Something else is there.
        """
        if self.best.exists() and not self.best.is_symlink():
            raise FddError(f"{self.best} is not the link to the best round that was there; move it away.")
        if name is None:
            self.best.unlink(missing_ok=True)
            return
        partial = partial_of(self.best)
        partial.unlink(missing_ok=True)
        partial.symlink_to(name)
        partial.replace(self.best)
