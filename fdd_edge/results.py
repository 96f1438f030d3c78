"""What the functions of ``api.py`` put together: each a frozen dataclass and a ``Result``.

A result that has a path is an ``os.PathLike``, so it can be passed wherever a path can.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fdd_edge.result_base import Result

if TYPE_CHECKING:
    from fdd_edge.evaluation import CutReplies, Difference, ScoredReply, Votes
    from fdd_edge.ondevice.protocol import Completion
    from fdd_edge.operations.evaluate import EvaluatedFile
    from fdd_edge.parity import Certificate
    from fdd_edge.targets.diagnostics import Check

__all__ = [
    "DoctorResult",
    "EvaluationResult",
    "EvaluationTable",
    "EvolveResult",
    "ExportResult",
    "ExportedArtifact",
    "Solution",
    "SplitResult",
    "TableEntry",
    "TrainResult",
]


@dataclass(frozen=True)
class Solution(Result):
    """One question, answered.

    Attributes:
        answer: The number that the program gives, or the one of free-form text; None if there is none.
        program: The program, in normal form; None if the reply holds none.
        text: The reply as the model wrote it.
        completion: The reply with everything that was counted on the way.
        replies: Every reply, if there are several: the answer is the one that most of them give.
        agreed: How many of them give it.
        notes: Sentences about what makes the answer doubtful, or about what helps if there is none.
    """

    answer: int | float | None
    program: str | None
    text: str = field(repr=False)
    completion: Completion = field(repr=False)
    replies: Sequence[Completion] = field(default=(), repr=False)
    agreed: int = 0
    notes: Sequence[str] = field(default=(), repr=False)

    @classmethod
    def of(cls, replies: Sequence[Completion], question: str, *, max_new_tokens: int) -> Self:
        """Return the solution that one reply holds, or most of several; the first one's if none has an answer.

        Args:
            replies: To the question.
            question: What was asked.
            max_new_tokens: The token limit of a reply.
        """
        from fdd_edge.evaluation import doubts_about, fills_context, majority_of
        from fdd_edge.ondevice.verdicts import Verdict

        won = majority_of(replies)
        reply = replies[0] if won is None else won.reply
        notes = doubts_about(question, reply)
        if fills_context(reply, max_new_tokens):
            context = reply.n_prompt_tokens + reply.n_tokens
            notes.append(
                f"Prompt and reply filled the model's context of {context} tokens; only a shorter prompt helps."
            )
        elif reply.verdict is Verdict.unfinished:
            notes.append(f"The limit was {max_new_tokens} tokens; try --max-new-tokens {2 * max_new_tokens}.")
        agreed = 0 if won is None else won.agreed
        return cls(reply.answer, reply.program, reply.text, reply, replies, agreed, notes)

    @property
    def problem(self) -> str | None:
        """Why there is no answer, such as ``no_program`` or ``unfinished``; None if there is one."""
        return None if self.completion.verdict is None else str(self.completion.verdict)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge solve --json`` prints."""
        row = self.completion.to_row() | ({"notes": list(self.notes)} if self.notes else {})
        return row if len(self.replies) < 2 else row | {"samples": len(self.replies), "agreed": self.agreed}

    def _shown(self) -> Iterable[tuple[str, object]]:
        shown = [("answer", self.answer), ("program", self.program), ("problem", self.problem)]
        shown += [("note", note) for note in self.notes]
        return shown if len(self.replies) < 2 else [*shown, ("agreed", f"{self.agreed} of {len(self.replies)}")]


@dataclass(frozen=True)
class EvaluationResult(Result):
    """How one model file did on one set of problems, on one target.

    Attributes:
        n: Completions.
        correct: Those with the gold answer.
        accuracy: correct / n.
        ci95: Interval of the accuracy; replies to the same problem are not counted as independent.
        distinct: Different problems; the same question under several ids is one.
        verdicts: Completions per verdict.
        votes: The shares of problems solved by majority and by any reply; None with one reply per problem.
        problems_per_second: Of the whole target, a problem for every reply; None if it was not measured.
        tokens_per_second: Generated tokens per second; None if it was not measured.
        peak_rss_bytes: Most memory that the runner held.
        artifact: path, sha256, bytes, recipe and parity of the model file: ``passed``, ``failed``, ``claimed`` (its
            certificate says so, but was not made on this machine) or ``none``; with a certificate, also the reference.
        target: Name, transport, CPU, runtime and its version.
        data: Of the problems: name, path, sha256 of the file, format, limit, commit, number, and the sha256 of their
            ids, questions and answers.
        settings: The prompt, how answers are found, the token limit and the other settings of decoding.
        versions: Of fdd-edge, of the runtime, and of Python on the device.
        skipped: Items without a numeric answer.
        rows: The scored replies with their problems, in the order of these.
    """

    n: int
    correct: int
    accuracy: float
    ci95: tuple[float, float]
    distinct: int
    verdicts: Mapping[str, int] = field(repr=False)
    votes: Votes | None = field(repr=False)
    problems_per_second: float | None = field(repr=False)
    tokens_per_second: float | None = field(repr=False)
    peak_rss_bytes: int = field(repr=False)
    artifact: Mapping[str, Any] = field(repr=False)
    target: Mapping[str, Any] = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    settings: Mapping[str, Any] = field(repr=False)
    versions: Mapping[str, Any] = field(repr=False)
    skipped: Sequence[Mapping[str, str]] = field(repr=False)
    rows: Sequence[ScoredReply] = field(repr=False)

    @property
    def cut(self) -> CutReplies:
        """The replies that were cut, which ``verdicts`` counts as ``unfinished``, and by what."""
        from fdd_edge.evaluation import count_cut

        return count_cut(self.rows, self.settings["max_new_tokens"])

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge eval --json`` prints."""
        artifact = dict(self.artifact)
        parity = artifact.pop("parity")
        return {
            "n": self.n,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "ci95": list(self.ci95),
            "distinct": self.distinct,
            "verdicts": dict(self.verdicts),
            **({} if self.votes is None else {"votes": self.votes.to_row()}),
            "problems_per_second": self.problems_per_second,
            "tokens_per_second": self.tokens_per_second,
            "peak_rss_mb": round(self.peak_rss_bytes / 1e6, 1),
            "artifact": artifact,
            "parity": parity,
            "target": dict(self.target),
            "data": dict(self.data),
            "settings": dict(self.settings),
            "versions": dict(self.versions),
            "skipped": list(self.skipped),
        }

    @classmethod
    def of(cls, evaluated: EvaluatedFile, *, data: Mapping[str, Any], skipped: Sequence[Mapping[str, str]]) -> Self:
        """Put together what an evaluation gave; ``data`` and ``skipped`` are those attributes."""
        summary, timing = evaluated.evaluation.summary, evaluated.evaluation.timing
        return cls(
            n=summary.n,
            correct=summary.correct,
            accuracy=summary.accuracy,
            ci95=(summary.ci95.low, summary.ci95.high),
            distinct=summary.distinct,
            verdicts=summary.verdicts,
            votes=summary.votes,
            problems_per_second=timing.problems_per_second,
            tokens_per_second=timing.tokens_per_second,
            peak_rss_bytes=timing.peak_rss_bytes,
            artifact=evaluated.to_row(),
            target=timing.target,
            data=data,
            settings=evaluated.evaluation.facts.settings,
            versions=evaluated.evaluation.facts.versions,
            skipped=skipped,
            rows=evaluated.completions,
        )

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [row.to_row() for row in self.rows]

    def _shown(self) -> Iterable[tuple[str, object]]:
        low, high = self.ci95
        solved = f"{self.correct} of {self.n}: {100 * self.accuracy:.1f} % (95 %: {100 * low:.1f} to {100 * high:.1f})"
        return [("solved", solved), ("verdicts", dict(self.verdicts)), ("artifact", self.artifact["path"])]


@dataclass(frozen=True)
class TableEntry(Result):
    """One cell of a table of evaluations.

    Attributes:
        dataset: Name of the set; different from those of the other sets.
        artifact: Name of the artifact; different from those of the other artifacts.
        result: The evaluation.
    """

    dataset: str
    artifact: str
    result: EvaluationResult

    def to_dict(self) -> dict[str, Any]:
        """Return the names, and what ``fdd-edge eval --json`` prints for one evaluation."""
        return {"set": self.dataset, "name": self.artifact} | self.result.to_dict()


@dataclass(frozen=True)
class EvaluationTable(Result):
    """Several artifacts on several sets; iterating over it yields the entries.

    Attributes:
        entries: By set, and in a set by artifact.
    """

    entries: Sequence[TableEntry]

    def __iter__(self) -> Iterator[TableEntry]:
        return iter(self.entries)

    def __getitem__(self, index: int) -> TableEntry:
        return self.entries[index]

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def differences(self) -> Mapping[tuple[str, str], Difference]:
        """How each artifact but the first differs from the first, on the same problems, by set and artifact.

        Of several replies to a problem, the majority counts as one.
        """
        from fdd_edge.evaluation import compare_replies, majorities

        first = {entry.dataset: entry for entry in reversed(self.entries)}
        return {
            (entry.dataset, entry.artifact): compare_replies(
                list(zip(majorities(first[entry.dataset].result.rows), majorities(entry.result.rows), strict=True))
            )
            for entry in self.entries
            if entry is not first[entry.dataset]
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge eval --json`` prints for several artifacts or sets."""

        def row(entry: TableEntry) -> dict[str, Any]:
            change = self.differences.get((entry.dataset, entry.artifact))
            return entry.to_dict() | ({} if change is None else {"compared_with_first": change.to_row()})

        return {"evaluations": [row(entry) for entry in self.entries]}

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return self.to_dict()["evaluations"]  # type: ignore[no-any-return]  # a list of such rows

    def _shown(self) -> Iterable[tuple[str, object]]:
        return [(f"{entry.dataset}, {entry.artifact}", f"{entry.result.correct} of {entry.result.n}") for entry in self]


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

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> Self:
        """Return the artifact that a card describes."""
        rest = {key: value for key, value in card.items() if key != "path"}
        return cls(Path(card["path"]), card["recipe"], card["bytes"], card["bits_per_weight"], card["types"], rest)

    def __fspath__(self) -> str:
        return str(self.path)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge export --json`` prints for it."""
        return {"path": str(self.path)} | dict(self.card)


@dataclass(frozen=True)
class ExportResult(Result):
    """The artifacts of one export; iterating over it yields them.

    Attributes:
        artifacts: One per recipe.
        certificates: Their parity certificates; empty if none were made.
    """

    artifacts: Sequence[ExportedArtifact]
    certificates: Sequence[Certificate] = field(repr=False)

    def __iter__(self) -> Iterator[ExportedArtifact]:
        return iter(self.artifacts)

    def __getitem__(self, index: int) -> ExportedArtifact:
        return self.artifacts[index]

    def __len__(self) -> int:
        return len(self.artifacts)

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [artifact.to_dict() for artifact in self.artifacts]

    def _shown(self) -> Iterable[tuple[str, object]]:
        return [(artifact.recipe, str(artifact.path)) for artifact in self.artifacts]


@dataclass(frozen=True)
class TrainResult(Result):
    """A fine-tuned student.

    Attributes:
        adapter: Folder of the LoRA adapter, in PEFT's format.
        merged: Folder of the merged student, in Hugging Face's format.
        left_out: Problems that were not trained on, per reason, because of their program.
    """

    adapter: Path
    merged: Path
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitResult(Result):
    """Labelled problems on disk.

    Attributes:
        path: The folder, with one file per label.
        counts: Problems per label.
    """

    path: Path
    counts: Mapping[str, int]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Count the problems in the folder of a split."""
        from fdd_edge.operations.split import read_split

        return cls(path, {label: len(items) for label, items in read_split(path).items()})

    def __fspath__(self) -> str:
        return str(self.path)

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

    @classmethod
    def read(cls, path: Path) -> Self:
        """Count what a teacher wrote to a folder, and what it declined."""
        from fdd_edge.operations.evolve import read_declined
        from fdd_edge.records import read_problems
        from fdd_edge.runs.stage_files import OffspringFiles

        files = OffspringFiles(path)
        counts = Counter(problem.origin for problem in read_problems(files.problems))
        declined = {
            branch: {reason: len(ids) for reason, ids in reasons.items()}
            for branch, reasons in read_declined(files.declined).items()
        }
        return cls(path, {branch: counts[branch] for branch in ("complex", "similar")}, declined)

    def __fspath__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class DoctorResult(Result):
    """What works on this machine or a target, and what does not; iterating over it yields the checks.

    Attributes:
        checks: In the order in which things are needed.
    """

    checks: Sequence[Check]

    @property
    def ok(self) -> bool:
        """Whether nothing has to be fixed."""
        return all(check.ok for check in self.checks)

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def __getitem__(self, index: int) -> Check:
        return self.checks[index]

    def __len__(self) -> int:
        return len(self.checks)

    def __repr__(self) -> str:
        failed = [check.what for check in self.checks if not check.ok]
        return f"DoctorResult(ok={self.ok}, {f'to fix: {failed}' if failed else f'{len(self)} checks'})"

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [check.to_dict() for check in self.checks]

    def _shown(self) -> Iterable[tuple[str, object]]:
        return [(c.what, c.found if c.ok else f"{c.found}; to fix: {c.fix}") for c in self.checks]
