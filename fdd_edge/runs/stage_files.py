"""The files inside the folders that stages write: one class per kind of folder.

The operation that writes a folder and everybody who reads it use the same class, so a file name is spelled once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "NON_EASY",
    "POOL",
    "SHOWN",
    "VALID",
    "AdapterFiles",
    "BatchFolder",
    "CuratedFiles",
    "EvaluationFiles",
    "FineTunedFiles",
    "OffspringFiles",
    "ProblemSetFiles",
    "SplitFiles",
    "TrainingDataFiles",
]

VALID, POOL, NON_EASY, SHOWN = "valid", "pool", "non-easy", "shown-questions"
"""A run's own sets among the evaluation folders: the one that chooses the best round, the problems that are labelled,
those of them that the judge did not find easy, and the questions that the student is asked before training."""


_CALLS = "ledger.jsonl"


@dataclass(frozen=True)
class _Files:
    root: Path


class ProblemSetFiles(_Files):
    """The problem sets of a run, as they were read."""

    @property
    def seeds(self) -> Path:
        """Problems to train on, before a teacher adds missing programs."""
        return self.root / "seed.jsonl"

    @property
    def valid(self) -> Path:
        """Problems that choose the best round; never trained on."""
        return self.root / f"{VALID}.jsonl"

    @property
    def skipped(self) -> Path:
        """Items of the data sets that have no numeric answer."""
        return self.root / "skipped.jsonl"

    def eval_set(self, name: str) -> Path:
        """One set that is only reported on."""
        return self.root / "eval" / f"{name}.jsonl"


class TrainingDataFiles(_Files):
    """The training data of a round."""

    @property
    def train(self) -> Path:
        """The problems the round trains on."""
        return self.root / "train.jsonl"

    @property
    def rejected(self) -> Path:
        """The problems that were kept out, each with its reason."""
        return self.root / "rejected.jsonl"

    @property
    def reserve(self) -> Path:
        """Seed problems that are labelled before they are trained on; only in the first round's data."""
        return self.root / "reserve.jsonl"

    @property
    def calls(self) -> Path:
        """The run's copy of what the ledger holds about its calls; absent if no language model was asked."""
        return self.root / _CALLS


class AdapterFiles(_Files):
    """A LoRA adapter in PEFT's format, with the record of its training."""

    @property
    def trace(self) -> Path:
        """Losses, number of examples, number format; written last, so it marks a finished training."""
        return self.root / "training.json"


class FineTunedFiles(_Files):
    """A fine-tuning outside a run."""

    @property
    def adapter(self) -> Path:
        """Folder of the LoRA adapter, see ``AdapterFiles``."""
        return self.root / "adapter"

    @property
    def merged(self) -> Path:
        """The merged student, a Hugging Face folder."""
        return self.root / "merged"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's event files, if the training reports to it."""
        return self.root / "tensorboard"


class EvaluationFiles(_Files):
    """The completions of one artifact for one problem set."""

    @property
    def rows(self) -> Path:
        """Scored completions, in the order of the problems."""
        return self.root / "rows.jsonl"

    @property
    def timing(self) -> Path:
        """Speed, memory and device."""
        return self.root / "timing.json"

    @property
    def summary(self) -> Path:
        """Number solved, interval and verdicts."""
        return self.root / "summary.json"

    @property
    def journal(self) -> Path:
        """Finished waves of an unfinished evaluation, from which an interrupted call resumes."""
        return self.root / "waves.jsonl"


class SplitFiles(_Files):
    """Labelled problems, one file per label."""

    def label(self, name: str) -> Path:
        """The problems of one label."""
        return self.root / f"{name}.jsonl"

    @property
    def lost(self) -> Path:
        """Problems that the float artifact solves and the judge's does not."""
        return self.label("lost")


class OffspringFiles(_Files):
    """What a teacher wrote for a split, and what it did not."""

    @property
    def problems(self) -> Path:
        """New problems, not yet curated."""
        return self.root / "problems.jsonl"

    @property
    def declined(self) -> Path:
        """Parents for which the teacher wrote nothing, each with its branch and the reason."""
        return self.root / "declined.jsonl"

    @property
    def calls(self) -> Path:
        """The run's copy of what the ledger holds about its calls; absent if no language model was asked."""
        return self.root / _CALLS


class CuratedFiles(_Files):
    """New problems, or the student's own programs, after curation."""

    @property
    def accepted(self) -> Path:
        """Those that the next round trains on."""
        return self.root / "accepted.jsonl"

    @property
    def rejected(self) -> Path:
        """Those that it does not, each with its reason."""
        return self.root / "rejected.jsonl"


class BatchFolder(_Files):
    """Requests to language models that wait for replies from a batch, one file for each set of them."""

    def requests(self, title: str, digest: str) -> Path:
        """The requests of this digest."""
        return self.root / f"{title}-{digest}.jsonl"

    def all_of(self, title: str) -> list[Path]:
        """All files of a title."""
        name = re.compile(re.escape(title) + r"-[0-9a-f]{8}\.jsonl")
        return sorted(path for path in self.root.iterdir() if name.fullmatch(path.name) and path.is_file())
