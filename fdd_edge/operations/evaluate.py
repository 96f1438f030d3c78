"""Running an artifact on a target over a set of problems, wave by wave, and scoring its completions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from fdd_edge.artifacts.facts import ModelFacts, describe_model, model_bytes
from fdd_edge.errors import FddError
from fdd_edge.evaluation import Summary, score, summarize
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.model_files import hash_model, model_in
from fdd_edge.ondevice.protocol import Completion, ProtocolError, Task, plan_waves
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.certify import find_certificate
from fdd_edge.operations.evaluation_timing import EvaluationTiming, read_timing, timing_of
from fdd_edge.operations.unchanged import watch, written_meanwhile
from fdd_edge.operations.waves import decode_waves
from fdd_edge.parity import Certificate, was_checked_here
from fdd_edge.progress import announce
from fdd_edge.records import Problem, ProblemSet, read_jsonl, write_jsonl
from fdd_edge.runs.fingerprint import Json
from fdd_edge.runs.marked_folder import temporary_folder
from fdd_edge.runs.stage import build_atomic
from fdd_edge.runs.stage_files import EvaluationFiles
from fdd_edge.targets import TargetRuntime, n_runners

__all__ = [
    "EvaluatedFile",
    "Evaluation",
    "announce_prompt",
    "evaluate",
    "evaluate_file",
    "read_evaluation",
    "read_rows",
]


Parity = Literal["passed", "failed", "claimed", "none"]
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation folder holds besides the rows."""

    summary: Summary
    timing: EvaluationTiming


@dataclass(frozen=True)
class EvaluatedFile:
    """A model file that was evaluated outside a run.

    Attributes:
        path: The file.
        sha256: Hash of the model.
        bytes: Size of the model.
        recipe: The recipe it was made by; None for a file from elsewhere.
        parity: Result of its certificate: ``passed`` and ``failed``; ``claimed`` if it says that the file passed, but
            was not made on this machine; ``none`` if there is none.
        reference: Name and sha256 of the float model that the certificate names; None without one.
        evaluation: Summary and timing.
        completions: The scored completions, in the order of the problems.
    """

    path: Path
    sha256: str
    bytes: int
    recipe: str | None
    parity: Parity
    reference: Mapping[str, str] | None
    evaluation: Evaluation
    completions: list[Completion]

    def to_row(self) -> dict[str, Json]:
        """Return what is known about the file, as JSON."""
        row: dict[str, Json] = {
            "path": str(self.path),
            "sha256": self.sha256,
            "bytes": self.bytes,
            "recipe": self.recipe,
            "parity": self.parity,
        }
        return row if self.reference is None else row | {"reference": dict(self.reference)}


def evaluate(
    out: Path,
    *,
    artifact: Path,
    problems: Sequence[Problem],
    runtime: TargetRuntime,
    asking: Asking,
    sha256: str | None = None,
    title: str = "evaluating",
) -> Evaluation:
    """Decode every problem with an artifact on a target; write rows, timing and summary to the folder ``out``.

    Waves that an interrupted call left in ``out`` are kept; the others are decoded.

    Args:
        out: A folder that exists, see ``EvaluationFiles``.
        artifact: The model file, or its folder.
        problems: With gold answers, which stay on this side.
        runtime: Where it runs.
        asking: How. The rows are a function of file, problems, runtime and this.
        sha256: Hash of the model, if the caller has computed it.
        title: Shown next to the progress.

    Raises:
        FddError: There are no problems, or the file is broken or was changed in the meantime.
        TargetError: The target failed.
    """
    if not problems:
        raise FddError("There are no problems to evaluate.")
    model = Path(model_in(artifact))
    by_id = {p.id: p for p in problems}
    tasks = [Task(p.id, k, p.question) for p in problems for k in range(asking.num_return_sequences)]
    waves = plan_waves(tasks, asking.decoding.wave)
    files = EvaluationFiles(out)
    was_touched = watch(model)
    decoded = decode_waves(
        waves,
        files.journal,
        artifact=model,
        sha256=sha256 or hash_model(model),
        runtime=runtime,
        asking=asking,
        title=title,
    )
    if was_touched():  # changed, and changed back: the hash is the same
        files.journal.unlink(missing_ok=True)
        raise written_meanwhile(model, "evaluated")
    results = decoded.results
    rows = score([c for result in results for c in result.completions], by_id)
    # Runners that share the waves work at the same time, so only a clock on this side measures the total.
    seconds = sum(r.timing.seconds for r in results) if n_runners(runtime.profile) == 1 else decoded.seconds
    device = {"name": runtime.profile.name, "transport": runtime.profile.transport} | asdict(decoded.info)
    timing = timing_of(results, seconds, artifact_bytes=model_bytes(model), target=device)
    evaluation = Evaluation(summarize(rows, by_id), timing)
    write_jsonl(files.rows, (c.to_row() for c in rows))
    _write_json(files.timing, timing.to_row())
    _write_json(files.summary, evaluation.summary.to_row())
    files.journal.unlink(missing_ok=True)
    return evaluation


def evaluate_file(
    artifact: Path,
    problems: Sequence[Problem],
    out: Path | None,
    *,
    runtime: TargetRuntime,
    asking: Asking,
    dataset: str = "problems",
) -> EvaluatedFile:
    """Evaluate any model file outside a run.

    Args:
        artifact: The model file.
        problems: With gold answers.
        out: A new folder for rows, timing and summary; None keeps none.
        runtime: Where it runs.
        asking: How.
        dataset: Name of the problems, for the progress line.

    Raises:
        FddError: The file is broken, or ``out`` exists.
    """
    facts = describe_model(artifact)
    announce_prompt(artifact, facts, asking.prompt)
    sha256 = hash_model(artifact)
    certificate = find_certificate(artifact, sha256)

    def make(folder: Path) -> None:
        evaluate(
            folder,
            artifact=artifact,
            problems=problems,
            runtime=runtime,
            asking=asking,
            sha256=sha256,
            title=f"{_title(artifact)} on {dataset}",
        )

    if out is None:
        with temporary_folder("eval") as folder:
            make(folder)
            evaluation, completions = read_evaluation(folder), read_rows(folder)
    else:
        build_atomic(
            out, make, artifact=sha256, problems=ProblemSet(problems), runtime=runtime, asking=asking.on(runtime)
        )
        evaluation, completions = read_evaluation(out), read_rows(out)
    return EvaluatedFile(
        path=artifact,
        sha256=sha256,
        bytes=evaluation.timing.artifact_bytes,
        recipe=facts.recipe,
        parity="none" if certificate is None else _result_of(certificate),
        reference=None if certificate is None else _named_by(certificate),
        evaluation=evaluation,
        completions=completions,
    )


def _result_of(certificate: Certificate) -> Parity:
    """Return what a certificate says; that a file passed counts only if it was found here."""
    if not certificate.passed:
        return "failed"
    return "passed" if was_checked_here(certificate) else "claimed"


def _named_by(certificate: Certificate) -> dict[str, str]:
    """Return the reference that a certificate names; one from elsewhere may say anything there."""
    return {key: str(certificate.reference.get(key))[:_LONGEST_NAME] for key in ("name", "sha256")}


def announce_prompt(artifact: Path, facts: ModelFacts, prompt: str | None) -> None:
    """Announce that a file which stores no prompt is asked through its chat template, if it has one."""
    if prompt is None and facts.prompt_template is None and facts.has_chat_template:
        announce(f"{artifact.name} stores no prompt, so questions go through its chat template (prompt: chat)")


def read_rows(folder: Path) -> list[Completion]:
    """Read the scored completions of an evaluation folder.

    Raises:
        FddError: It is not an evaluation folder, or its completions cannot be read.
    """
    path = EvaluationFiles(folder).rows
    if folder.is_dir() and not path.exists():
        raise FddError(
            f"{folder} is not an evaluation; name a folder such as RUN/round-00/eval/TARGET/RECIPE/pool, or one that "
            "fdd-edge eval -o wrote."
        )
    completions: list[Completion] = []
    try:
        for number, row in read_jsonl(path):
            completions.append(Completion.from_row(row))
            if (fault := _fault_of(completions[-1])) is not None:
                raise ProtocolError(f"in line {number}, {fault}")
    except ProtocolError as error:
        raise FddError(f"{folder} is not an evaluation ({error}); name a folder that fdd-edge eval wrote.") from None
    replies = Counter((completion.problem_id, completion.sample) for completion in completions)
    (name, sample), n = replies.most_common(1)[0] if replies else (("", 0), 0)
    if n > 1:
        raise FddError(f"{path} holds sample {sample} of {name!r} {n} times, so it is damaged; evaluate again.")
    return completions


def _fault_of(row: Completion) -> str | None:
    """Return what is wrong with a row that a user, or a damaged disk, may have changed."""
    answer, sample = row.answer, row.sample
    if not isinstance(row.problem_id, str) or not isinstance(row.text, str):
        return "the problem's id or the text is not a text"
    if answer is not None and (isinstance(answer, bool) or not isinstance(answer, int | float)):
        return f"the answer {answer!r:.40} is not a number"
    if isinstance(sample, bool) or not isinstance(sample, int) or sample < 0:
        return f"the sample {sample!r:.40} is not a number from 0"
    if row.program is not None and not isinstance(row.program, str):
        return "the program is not a text"
    return None


def read_evaluation(folder: Path) -> Evaluation:
    """Read summary and timing of an evaluation folder back."""
    files = EvaluationFiles(folder)
    summary = parse_json(files.summary.read_text(encoding="utf-8"))
    return Evaluation(Summary.from_row(summary), read_timing(files.timing))


def _title(artifact: Path) -> str:
    """Return a name for the progress line; a file with a generic name goes by its folder."""
    return artifact.parent.name if artifact.stem == "model" else artifact.name


def _write_json(path: Path, content: Mapping[str, Json]) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
