"""Running an artifact on a target over a set of problems, wave by wave, and scoring its completions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from fdd_edge.artifacts.facts import describe_model, model_bytes
from fdd_edge.errors import FddError
from fdd_edge.evaluation import ScoredReply, Summary, score, summarize
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.model_files import hash_model, model_in
from fdd_edge.ondevice.protocol import Task, plan_waves
from fdd_edge.ondevice.verdicts import SCORED
from fdd_edge.operations.asking import Asking, announce_prompt
from fdd_edge.operations.attention_choice import decide_attention
from fdd_edge.operations.certificate_lookup import find_certificate
from fdd_edge.operations.evaluation_facts import EvaluationFacts, facts_of
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.operations.evaluation_timing import EvaluationTiming, read_timing, timing_of
from fdd_edge.operations.runtime_build import build_of
from fdd_edge.operations.unchanged import watch, written_meanwhile
from fdd_edge.operations.waves import decode_waves
from fdd_edge.parity import Certificate, was_checked_here
from fdd_edge.progress import announce
from fdd_edge.records import Problem, ProblemSet, write_jsonl
from fdd_edge.runs.fingerprint import Json, fingerprint, plain
from fdd_edge.runs.finish_mark import FINISHED, read_mark
from fdd_edge.runs.marked_folder import temporary_folder
from fdd_edge.runs.stage import build_atomic, refuse_occupied
from fdd_edge.runs.stage_files import EvaluationFiles
from fdd_edge.targets import TargetRuntime, n_runners

__all__ = [
    "EvaluatedFile",
    "Evaluation",
    "check_output_of",
    "evaluate",
    "evaluate_file",
    "name_of_artifact",
    "read_evaluation",
]


Parity = Literal["passed", "failed", "claimed", "none"]
_LONGEST_NAME = 200
_NONE = EvaluationFacts()


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation folder holds besides the rows."""

    summary: Summary
    timing: EvaluationTiming
    facts: EvaluationFacts


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
        completions: The scored replies, in the order of the problems.
    """

    path: Path
    sha256: str
    bytes: int
    recipe: str | None
    parity: Parity
    reference: Mapping[str, str] | None
    evaluation: Evaluation
    completions: list[ScoredReply]

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
    named: EvaluationFacts = _NONE,
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
        named: What ``summary.json`` says about the data set beyond its problems.

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
    sha256 = sha256 or hash_model(model)
    decoded = decode_waves(
        waves,
        files.journal,
        artifact=model,
        sha256=sha256,
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
    about: dict[str, Json] = {"name": name_of_artifact(model), "sha256": sha256, "bytes": timing.artifact_bytes}
    facts = facts_of(asking.on(runtime), problems, decoded.info, replace(named, artifact=about))
    evaluation = Evaluation(summarize(rows, by_id), timing, facts)
    write_jsonl(files.rows, (c.to_row() for c in rows))
    _write_json(files.timing, timing.to_row())
    _write_json(files.summary, evaluation.summary.to_row() | facts.to_row())
    files.journal.unlink(missing_ok=True)
    return evaluation


def evaluate_file(
    artifact: Path,
    problems: Sequence[Problem],
    out: Path | None,
    *,
    runtime: TargetRuntime,
    asking: Asking,
    data: Mapping[str, Json] = MappingProxyType({}),
) -> EvaluatedFile:
    """Evaluate any model file outside a run; what ``out`` holds of the same evaluation is read back.

    Args:
        artifact: The model file.
        problems: With gold answers.
        out: A folder for rows, timing and summary; None keeps none.
        runtime: Where it runs.
        asking: How.
        data: What is known about the problems, for ``summary.json``; its ``name`` is shown next to the progress.

    Raises:
        FddError: The file is broken, or ``out`` holds something else.
    """
    facts = describe_model(artifact)
    announce_prompt(artifact, facts, asking.prompt)
    sha256 = hash_model(artifact)
    certificate = find_certificate(artifact, sha256)
    of_file = _made_of(sha256, problems, runtime)
    stored = None if out is None else _stored_attention(out, asking.on(runtime), of_file)
    if stored is None:
        asking = decide_attention(asking, runtime, artifact)
    else:
        asking = asking.on(runtime).with_attention(flash=stored)
    made_from = of_file | {"asking": asking}
    named = EvaluationFacts(data=data, fingerprint=_fingerprint(made_from))

    def make(folder: Path) -> None:
        evaluate(
            folder,
            artifact=artifact,
            problems=problems,
            runtime=runtime,
            asking=asking,
            sha256=sha256,
            title=f"{name_of_artifact(artifact)} on {data.get('name', 'problems')}",
            named=named,
        )

    if out is None:
        with temporary_folder("eval") as folder:
            make(folder)
            evaluation, completions = read_evaluation(folder), read_rows(folder)
    else:
        if is_evaluation_of(out, named.fingerprint):
            announce(f"{out} holds this evaluation already, so it is shown; to evaluate again, choose another folder")
        else:
            build_atomic(out, make, **made_from)
        evaluation, completions = read_evaluation(out), read_rows(out)
        _check_unchanged(out, evaluation, completions, problems)
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


def check_output_of(
    artifact: Path, problems: Sequence[Problem], out: Path, *, runtime: TargetRuntime, asking: Asking
) -> None:
    """Refuse a folder that ``evaluate_file`` would refuse for the same arguments; nothing is evaluated or measured.

    Raises:
        FddError: It holds something else than this evaluation.
    """
    try:
        refuse_occupied(out)
    except FddError:
        of_file, asked = _made_of(hash_model(artifact), problems, runtime), asking.on(runtime)
        choices = [asked]
        if asked.decoding.flash_attention is None:
            choices += [asked.with_attention(flash=flash) for flash in (False, True)]
        known = {_fingerprint(of_file | {"asking": one}) for one in choices}
        mark = read_mark(out, FINISHED)
        if mark is not None and mark.wanted in known:
            return  # killed just before its end
        if not any(is_evaluation_of(out, wanted) for wanted in known):
            raise
        _check_unchanged(out, read_evaluation(out), read_rows(out), problems)


def _made_of(sha256: str, problems: Sequence[Problem], runtime: TargetRuntime) -> dict[str, object]:
    """Return what an evaluation is made from besides how it asks."""
    return {"artifact": sha256, "problems": ProblemSet(problems), "runtime": runtime, "build": build_of(runtime)}


def _fingerprint(made_from: Mapping[str, object]) -> str:
    return fingerprint(0, plain(made_from), {})


def _stored_attention(out: Path, asking: Asking, of_file: Mapping[str, object]) -> bool | None:
    """Return by which attention a folder holds an evaluation that leaves it open; None if it holds another or none.

    So a stored result is shown without asking the target, even if the cache has forgotten what was measured.
    """
    if asking.decoding.flash_attention is not None:
        return None
    for flash in (False, True):
        if is_evaluation_of(out, _fingerprint({**of_file, "asking": asking.with_attention(flash=flash)})):
            return flash
    return None


def is_evaluation_of(out: Path, wanted: str) -> bool:
    """Return whether a folder holds the finished evaluation with this fingerprint."""
    try:
        # The mark is that of a call that was killed just before its end.
        return read_evaluation(out).facts.fingerprint == wanted and not (out / FINISHED).exists()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # something else, which is not to be written over


def _check_unchanged(
    out: Path, evaluation: Evaluation, replies: Sequence[ScoredReply], problems: Sequence[Problem]
) -> None:
    """Refuse a stored evaluation whose rows and summary no longer belong together.

    Raises:
        FddError: They do not.
    """
    by_id = {problem.id: problem for problem in problems}
    open_again = [replace(row, verdict=None if row.verdict in SCORED else row.verdict) for row in replies]
    if by_id.keys() != {row.problem_id for row in replies} or evaluation.summary != summarize(
        score(open_again, by_id), by_id
    ):
        raise FddError(f"{out} was changed after it was written; choose another folder, or delete it.")


def _result_of(certificate: Certificate) -> Parity:
    """Return what a certificate says; that a file passed counts only if it was found here."""
    if not certificate.passed:
        return "failed"
    return "passed" if was_checked_here(certificate) else "claimed"


def _named_by(certificate: Certificate) -> dict[str, str]:
    """Return the reference that a certificate names; one from elsewhere may say anything there."""
    return {key: str(certificate.reference.get(key))[:_LONGEST_NAME] for key in ("name", "sha256")}


def read_evaluation(folder: Path) -> Evaluation:
    """Read summary and timing of an evaluation folder back."""
    files = EvaluationFiles(folder)
    summary = parse_json(files.summary.read_text(encoding="utf-8"))
    return Evaluation(Summary.from_row(summary), read_timing(files.timing), EvaluationFacts.from_row(summary))


def name_of_artifact(artifact: Path) -> str:
    """Return a name for the progress line; a file with a generic name goes by its folder."""
    folder = artifact.resolve().parent.name if artifact.stem == "model" else ""
    return folder or artifact.name


def _write_json(path: Path, content: Mapping[str, Json]) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
