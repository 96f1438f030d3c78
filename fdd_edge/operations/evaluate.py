"""Running an artifact on a target over a set of problems, wave by wave, and scoring its completions."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from fdd_edge.artifacts.facts import ModelFacts, describe_model, model_bytes
from fdd_edge.errors import FddError
from fdd_edge.evaluation import Summary, score, summarize
from fdd_edge.ondevice.model_files import hash_model, model_in
from fdd_edge.ondevice.protocol import (
    Completion,
    Decoding,
    Event,
    ProtocolError,
    Settings,
    Shot,
    TargetInfo,
    Task,
    Wave,
    WaveResult,
    decode_event,
    encode,
    plan_waves,
)
from fdd_edge.ondevice.verdicts import AnswerRule
from fdd_edge.operations.certify import find_certificate
from fdd_edge.operations.evaluation_timing import EvaluationTiming, read_timing, timing_of
from fdd_edge.progress import announce, progress
from fdd_edge.records import Problem, ProblemSet, read_jsonl, write_jsonl
from fdd_edge.runs.fingerprint import Json
from fdd_edge.runs.stage import build_atomic
from fdd_edge.runs.stage_files import EvaluationFiles
from fdd_edge.targets import IDENTICAL_FIELDS, TargetRuntime, n_runners, open_session

__all__ = [
    "Asking",
    "EvaluatedFile",
    "Evaluation",
    "announce_prompt",
    "evaluate",
    "evaluate_file",
    "read_evaluation",
    "read_rows",
]


@dataclass(frozen=True)
class Asking:
    """How problems are put to a model, and how its replies are decoded.

    Attributes:
        decoding: How replies are decoded.
        num_return_sequences: Replies per problem.
        seed: Draws, if the temperature is above 0.
        answer: ``program``; for free-form text ``number``, the number that it marks as its answer or else its last
            one, or ``last-number``.
        prompt: A template that holds ``{question}``, ``chat``, or None for the file's own.
        examples: Worked examples before the question.
    """

    decoding: Decoding = Decoding()
    num_return_sequences: int = 1
    seed: int = 0
    answer: AnswerRule = "program"
    prompt: str | None = None
    examples: tuple[Shot, ...] = ()

    def on(self, runtime: TargetRuntime) -> Asking:
        """Return the same with the number of threads that the target will use."""
        return replace(self, decoding=replace(self.decoding, threads=runtime.threads(self.decoding.threads)))

    def settings(self, runtime: TargetRuntime) -> Settings:
        """Return what the runner of a target needs to know."""
        return Settings(decoding=self.on(runtime).decoding, seed=self.seed, answer=self.answer)


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
        parity: Result of its certificate; ``none`` if it has none.
        evaluation: Summary and timing.
        completions: The scored completions, in the order of the problems.
    """

    path: Path
    sha256: str
    bytes: int
    recipe: str | None
    parity: Literal["passed", "failed", "none"]
    evaluation: Evaluation
    completions: list[Completion]

    def to_row(self) -> dict[str, Json]:
        """Return what is known about the file, as JSON."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "bytes": self.bytes,
            "recipe": self.recipe,
            "parity": self.parity,
        }


def evaluate(
    out: Path,
    *,
    artifact: Path,
    problems: Sequence[Problem],
    runtime: TargetRuntime,
    asking: Asking,
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
        title: Shown next to the progress.

    Raises:
        FddError: There are no problems, or the file is broken.
        TargetError: The target failed.
    """
    if not problems:
        raise FddError("There are no problems to evaluate.")
    model = Path(model_in(artifact))
    by_id = {p.id: p for p in problems}
    tasks = [Task(p.id, k, p.question) for p in problems for k in range(asking.num_return_sequences)]
    waves = plan_waves(tasks, asking.decoding.wave)
    files = EvaluationFiles(out)
    decoded = None
    while decoded is None:
        decoded = _decode(model, waves, files.journal, runtime=runtime, asking=asking, title=title)
    results = [decoded.finished[wave.index] for wave in waves]
    rows = score([c for result in results for c in result.completions], by_id)
    # Runners that share the waves work at the same time, so only a clock on this side measures the total.
    seconds = sum(r.timing.seconds for r in results) if n_runners(runtime.profile) == 1 else decoded.seconds
    device = {"name": runtime.profile.name, "transport": runtime.profile.transport} | asdict(decoded.info)
    timing = timing_of(results, seconds, artifact_bytes=model_bytes(model), target=device)
    evaluation = Evaluation(summarize(rows), timing)
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
    found: list[tuple[Evaluation, list[Completion]]] = []

    def make(folder: Path) -> None:
        evaluation = evaluate(
            folder,
            artifact=artifact,
            problems=problems,
            runtime=runtime,
            asking=asking,
            title=f"{_title(artifact)} on {dataset}",
        )
        found.append((evaluation, read_rows(folder)))

    if out is None:
        with tempfile.TemporaryDirectory(prefix="fdd-edge-") as temporary:
            make(Path(temporary))
    else:
        build_atomic(
            out, make, artifact=sha256, problems=ProblemSet(problems), runtime=runtime, asking=asking.on(runtime)
        )
    evaluation, completions = found[0]
    return EvaluatedFile(
        path=artifact,
        sha256=sha256,
        bytes=evaluation.timing.artifact_bytes,
        recipe=facts.recipe,
        parity="none" if certificate is None else "passed" if certificate.passed else "failed",
        evaluation=evaluation,
        completions=completions,
    )


def announce_prompt(artifact: Path, facts: ModelFacts, prompt: str | None) -> None:
    """Announce that a file which stores no prompt is asked through its chat template."""
    if prompt is None and facts.prompt_template is None:
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
    try:
        return [Completion.from_row(row) for _, row in read_jsonl(path)]
    except ProtocolError as error:
        raise FddError(f"{folder} is not an evaluation ({error}); name a folder that fdd-edge eval wrote.") from None


def read_evaluation(folder: Path) -> Evaluation:
    """Read summary and timing of an evaluation folder back."""
    files = EvaluationFiles(folder)
    summary = json.loads(files.summary.read_text(encoding="utf-8"))
    return Evaluation(Summary.from_row(summary), read_timing(files.timing))


def _title(artifact: Path) -> str:
    """Return a name for the progress line; a file with a generic name goes by its folder."""
    return artifact.parent.name if artifact.stem == "model" else artifact.name


class _Decoded(NamedTuple):
    """All waves of an evaluation.

    Attributes:
        info: The device.
        finished: The waves by index.
        seconds: Clock time; None if some waves were finished by an earlier call.
    """

    info: TargetInfo
    finished: dict[int, WaveResult]
    seconds: float | None


def _decode(
    artifact: Path, waves: Sequence[Wave], journal: Path, *, runtime: TargetRuntime, asking: Asking, title: str
) -> _Decoded | None:
    """Decode the waves that the journal lacks; return None if the journal was another device's, and drop it."""
    info, finished = _read_journal(journal)
    # Rewritten as a whole: a line that a kill cut off would swallow the next one.
    kept: list[Event] = [*([info] if info else []), *finished.values()]
    journal.write_text("".join(encode(event) + "\n" for event in kept), encoding="utf-8")
    missing = [wave for wave in waves if wave.index not in finished]
    began, begun_before = time.monotonic(), bool(finished)
    total, left = (sum(len(wave.tasks) for wave in some) for some in (waves, missing))
    if missing:
        with progress(title, total) as advance:
            for event in _run(artifact, runtime, asking, missing, lambda n: advance(total - left + n)):
                if isinstance(event, TargetInfo) and info is not None and (other := _differences(info, event)):
                    announce(f"{title}: {other} of {runtime.profile.name} has changed, so the evaluation starts over")
                    journal.unlink()
                    return None
                with journal.open("a", encoding="utf-8") as file:
                    file.write(encode(event) + "\n")
                if isinstance(event, TargetInfo):
                    info, began = event, time.monotonic()
                else:
                    finished[event.index] = event
    assert info is not None  # the first line of a journal that holds a wave
    return _Decoded(info, finished, None if begun_before else time.monotonic() - began)


def _differences(one: TargetInfo, other: TargetInfo) -> str:
    """Return in what two sessions' devices differ; mixed rows would belong to neither."""
    return ", ".join(name for name in IDENTICAL_FIELDS if getattr(one, name) != getattr(other, name))


def _run(
    artifact: Path,
    runtime: TargetRuntime,
    asking: Asking,
    waves: Sequence[Wave],
    on_progress: Callable[[int], None],
) -> Iterator[TargetInfo | WaveResult]:
    """Yield what the target reports about itself, then finished waves."""
    with open_session(
        runtime.profile,
        artifact,
        settings=asking.settings(runtime),
        prompt=asking.prompt,
        examples=asking.examples,
    ) as session:
        yield session.info
        yield from session.complete(waves, on_progress)


def _read_journal(path: Path) -> tuple[TargetInfo | None, dict[int, WaveResult]]:
    """Read the finished waves and their device; a last line that a kill cut off is ignored."""
    info: TargetInfo | None = None
    finished: dict[int, WaveResult] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                event = decode_event(line)
            except ProtocolError:
                break
            if isinstance(event, TargetInfo):
                info = event
            elif isinstance(event, WaveResult):
                finished[event.index] = event
    return (info, finished) if info else (None, {})


def _write_json(path: Path, content: Mapping[str, Json]) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
