"""What the package's functions return: frozen dataclasses with a short repr, ``to_dict``, and HTML in notebooks."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdd_edge.errors import FddError

if TYPE_CHECKING:
    from fdd_edge.ondevice.protocol import Completion
    from fdd_edge.runs import RunLayout

__all__ = [
    "EvaluationResult",
    "EvolveResult",
    "ExportedArtifact",
    "Result",
    "RoundResult",
    "RunResult",
    "Solution",
    "SplitResult",
    "TrainResult",
]


class Result:
    """What every result can do; subclasses are frozen dataclasses and write ``to_dict``."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object, the one that the command prints with ``--json``."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        rows = (
            f"<tr><th>{html.escape(k)}</th><td>{html.escape(_brief(v))}</td></tr>" for k, v in self._shown().items()
        )
        return f"<table>{''.join(rows)}</table>"

    def _shown(self) -> dict[str, Any]:
        return self.to_dict()


def _brief(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file.

    Raises:
        FddError: It is damaged.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FddError(f"{path} is damaged ({error}); run the same command again, and it is written anew.") from None
    return content


def to_pandas(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows as a pandas DataFrame.

    Raises:
        FddError: pandas is not installed.
    """
    try:
        import pandas  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ModuleNotFoundError:
        raise FddError("pandas is not installed. Install it with: pip install pandas") from None
    return pandas.DataFrame(list(rows))


@dataclass(frozen=True)
class Solution(Result):
    """One question, answered.

    Attributes:
        answer: The number that the program gives; None if there is none.
        program: The program, in normal form; None if the reply holds none.
        text: The reply as the model wrote it.
        completion: The reply with everything that was counted on the way.
    """

    answer: int | float | None
    program: str | None
    text: str = field(repr=False)
    completion: Completion = field(repr=False)

    @property
    def problem(self) -> str | None:
        """Why there is no answer, such as ``no_program`` or ``unfinished``; None if there is one."""
        return None if self.completion.verdict is None else str(self.completion.verdict)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge solve --json`` prints."""
        return self.completion.to_row()

    def _shown(self) -> dict[str, Any]:
        return {"answer": self.answer, "program": self.program, "problem": self.problem}


@dataclass(frozen=True)
class EvaluationResult(Result):
    """How one model file did on one set of problems, on one target.

    Attributes:
        n: Completions.
        correct: Those with the gold answer.
        accuracy: correct / n.
        ci95: Wilson interval of the accuracy.
        verdicts: Completions per verdict.
        problems_per_second: Of the whole target; None if it was not measured.
        tokens_per_second: Generated tokens per second; None if it was not measured.
        peak_rss_bytes: Most memory that the runner held.
        artifact: path, sha256, bytes, recipe and parity (``passed``, ``failed`` or ``none``) of the model file.
        target: Name, transport, CPU, runtime and its version.
        data: Path and commit of the problems.
        skipped: Items without a numeric answer.
        rows: The scored completions, in the order of the problems.
    """

    n: int
    correct: int
    accuracy: float
    ci95: tuple[float, float]
    verdicts: Mapping[str, int] = field(repr=False)
    problems_per_second: float | None = field(repr=False)
    tokens_per_second: float | None = field(repr=False)
    peak_rss_bytes: int = field(repr=False)
    artifact: Mapping[str, Any] = field(repr=False)
    target: Mapping[str, Any] = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    skipped: Sequence[Mapping[str, str]] = field(repr=False)
    rows: Sequence[Completion] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge eval --json`` prints."""
        artifact = dict(self.artifact)
        parity = artifact.pop("parity")
        return {
            "n": self.n,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "ci95": list(self.ci95),
            "verdicts": dict(self.verdicts),
            "problems_per_second": self.problems_per_second,
            "tokens_per_second": self.tokens_per_second,
            "peak_rss_mb": round(self.peak_rss_bytes / 1e6, 1),
            "artifact": artifact,
            "parity": parity,
            "target": dict(self.target),
            "data": dict(self.data),
            "skipped": list(self.skipped),
        }

    def to_pandas(self) -> Any:
        """Return the rows as a pandas DataFrame.

        Raises:
            FddError: pandas is not installed.
        """
        return to_pandas([row.to_row() for row in self.rows])

    def _shown(self) -> dict[str, Any]:
        low, high = self.ci95
        solved = f"{self.correct} of {self.n}: {100 * self.accuracy:.1f} % (95 %: {100 * low:.1f} to {100 * high:.1f})"
        return {"solved": solved, "verdicts": dict(self.verdicts), "artifact": self.artifact["path"]}


@dataclass(frozen=True)
class ExportedArtifact(Result):
    """One exported artifact.

    Attributes:
        path: The model file.
        recipe: How it was made.
        bytes: Size of the model.
        bits_per_weight: Bits per weight, on average.
        types: Matrices per tensor type.
        card: Everything that its artifact.json says.
    """

    path: Path
    recipe: str
    bytes: int
    bits_per_weight: float
    types: Mapping[str, int] = field(repr=False)
    card: Mapping[str, Any] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge export --json`` prints for it."""
        return {"path": str(self.path)} | dict(self.card)


@dataclass(frozen=True)
class TrainResult(Result):
    """A fine-tuned student.

    Attributes:
        adapter: Folder of the LoRA adapter, in PEFT's format.
        merged: Folder of the merged student, in Hugging Face's format.
    """

    adapter: Path
    merged: Path

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {"adapter": str(self.adapter), "merged": str(self.merged)}


@dataclass(frozen=True)
class SplitResult(Result):
    """Labelled problems on disk.

    Attributes:
        path: The folder, with one file per label.
        counts: Problems per label.
    """

    path: Path
    counts: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge split --json`` prints."""
        return {"path": str(self.path), "split": dict(self.counts)}


@dataclass(frozen=True)
class EvolveResult(Result):
    """New problems on disk, not yet curated.

    Attributes:
        path: The folder, with the new problems and what the teacher declined.
        evolved: New problems per branch: ``complex`` and ``similar``.
        declined: Parents without new problems, per branch and reason.
    """

    path: Path
    evolved: Mapping[str, int]
    declined: Mapping[str, Mapping[str, int]]

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge evolve --json`` prints."""
        declined = {branch: dict(reasons) for branch, reasons in self.declined.items()}
        return {"path": str(self.path), "evolved": dict(self.evolved), "declined": declined}


@dataclass(frozen=True)
class RoundResult(Result):
    """A finished round of a run.

    Attributes:
        path: Its folder.
        number: Which round it is, counted from 0.
        summary: The figures of its table, see ``to_dict``.
    """

    path: Path
    number: int
    summary: Mapping[str, Any] = field(repr=False)

    @property
    def accuracies(self) -> dict[tuple[str, str, str], float]:
        """Accuracy by (target, recipe, data set)."""
        return {
            (row["target"], row["recipe"], row["dataset"]): row["correct"] / row["n"]
            for row in self.summary["evaluations"]
        }

    @property
    def accuracy(self) -> float:
        """Accuracy of the judge's artifact on valid, on the judge's target."""
        return float(self.summary["labelled"]["valid"])

    @property
    def artifacts(self) -> dict[str, Path]:
        """Folders of the exported artifacts that are still on disk, by recipe."""
        from fdd_edge.runs import RoundLayout

        folders = sorted(RoundLayout(self.path).artifacts.glob("*"))
        return {folder.name: folder for folder in folders if folder.is_dir() and not folder.name.startswith(".")}

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge run --json`` prints for the round."""
        return dict(self.summary)

    def _shown(self) -> dict[str, Any]:
        return {"round": self.number, "accuracy on valid": self.accuracy, "artifacts": ", ".join(self.artifacts)}


@dataclass(frozen=True)
class RunResult(Result):
    """A run on disk.

    Attributes:
        path: Its folder.
    """

    path: Path

    @property
    def layout(self) -> RunLayout:
        """Where each file of the run lies."""
        from fdd_edge.runs import RunLayout

        return RunLayout(self.path)

    @cached_property
    def rounds(self) -> list[RoundResult]:
        """Its finished rounds, in their order."""
        finished = [round_dir for round_dir in self.layout.rounds if round_dir.summary.is_file()]
        return [RoundResult(one.root, one.number, _read_object(one.summary)) for one in finished]

    @property
    def best(self) -> RoundResult | None:
        """The newest round that passes its gates; None if there is none yet."""
        name = self.layout.best.resolve().name
        return next((one for one in self.rounds if one.path.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        best = self.best
        return {
            "path": str(self.path),
            "best": None if best is None else best.number,
            "rounds": [one.to_dict() for one in self.rounds],
        }

    def _shown(self) -> dict[str, Any]:
        best = self.best
        shares = ", ".join(f"{100 * one.accuracy:.1f} %" for one in self.rounds)
        return {"run": str(self.path), "accuracy on valid": shares, "best round": best and best.number}
