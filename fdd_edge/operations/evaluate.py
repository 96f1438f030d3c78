"""Running an artifact on a target over a set of problems, wave by wave, and scoring what comes back."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from fdd_edge.artifacts.facts import describe_model, model_bytes
from fdd_edge.errors import FddError
from fdd_edge.evaluation import Summary, score, summarize
from fdd_edge.ondevice.model_files import family_of, hash_model
from fdd_edge.ondevice.protocol import (
    Completion,
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
from fdd_edge.operations.certify import find_certificate
from fdd_edge.progress import announce, progress
from fdd_edge.records import Problem, hash_problems, read_jsonl, write_jsonl
from fdd_edge.runs.layout import MODEL_FILE
from fdd_edge.runs.stage import build_atomic
from fdd_edge.targets import (
    EQUAL,
    Profile,
    device_facts,
    load_profile,
    n_runners,
    open_session,
    resolve_threads,
    runtime_version,
)

__all__ = ["EVAL_VERSION", "Decoding", "Evaluation", "ask", "complete", "evaluate_file", "read_evaluation", "read_rows"]

EVAL_VERSION = 2

_JOURNAL = "waves.jsonl"
"""Finished waves of an evaluation that is under way; a killed one goes on from here."""


@dataclass(frozen=True)
class Decoding:
    """How answers are decoded.

    Attributes:
        max_new_tokens: Tokens a reply may have.
        sequences: Problems that share a batch.
        threads: None for one a physical core; a target's own number goes first.
        temperature: 0 is greedy.
        wave: Problems that are decoded, resumed and shared as one.
        samples: Replies a problem.
        seed: Draws, where the temperature is above 0.
        answer: ``program``, or ``number`` for the last number of a free text.
        prompt: A template holding ``{question}``, ``chat``, or None for the file's own.
        shots: Worked examples put before the question.
        stop: Strings that end a reply.
    """

    max_new_tokens: int
    sequences: int
    threads: int | None
    temperature: float
    wave: int
    samples: int = 1
    seed: int = 0
    answer: Literal["program", "number"] = "program"
    prompt: str | None = None
    shots: tuple[Shot, ...] = ()
    stop: tuple[str, ...] = ()

    def settings(self, profile: Profile) -> Settings:
        """Return what the runner of a target is asked to keep to."""
        return Settings(
            max_new_tokens=self.max_new_tokens,
            sequences=self.sequences,
            threads=resolve_threads(profile, self.threads),
            temperature=self.temperature,
            seed=self.seed,
            answer=self.answer,
            stop=self.stop,
        )

    def fingerprint(self, target: str, artifact: Path) -> dict[str, Any]:
        """Return what rows depend on beside file and problems: settings, the target's threads and runtime."""
        profile = load_profile(target)
        threads = resolve_threads(profile, self.threads)
        depends = asdict(self) | {
            "threads": threads,
            "target": profile.name,
            "runtime": runtime_version(profile, family_of(artifact)),
        }
        return depends if profile.transport == "local" else depends | {"device": device_facts(profile)}


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation folder holds: ``summary.json`` and ``timing.json``."""

    summary: Summary
    timing: Mapping[str, Any]


def complete(
    artifact: Path, problems: Sequence[Problem], out: Path, *, target: str, decoding: Decoding, title: str
) -> Evaluation:
    """Decode every problem with an artifact on a target and write rows, timing and summary to ``out``.

    Waves that an interrupted call left in ``out`` are kept; the others are decoded.

    Args:
        artifact: The model file.
        problems: With gold answers, which stay on this side.
        out: A folder that exists.
        target: Name or path of a device profile.
        decoding: Settings; the rows are a function of them, the file and the problems.
        title: Shown beside the progress.

    Raises:
        FddError: There is no problem, or the file is broken.
        TargetError: The target failed.
    """
    if not problems:
        raise FddError("There is no problem to evaluate on.")
    by_id = {p.id: p for p in problems}
    tasks = [Task(p.id, k, p.question) for p in problems for k in range(decoding.samples)]
    waves = plan_waves(tasks, decoding.wave)
    profile = load_profile(target)
    journal = out / _JOURNAL
    decoded = None
    while decoded is None:
        decoded = _decode(artifact, waves, journal, profile=profile, decoding=decoding, title=title)
    results = [decoded.finished[wave.index] for wave in waves]
    rows = score([c for result in results for c in result.completions], by_id)
    # Runners that share the waves work at the same time, so only a clock on this side knows how long that took.
    seconds = sum(r.timing.seconds for r in results) if n_runners(profile) == 1 else decoded.seconds
    device = {"name": profile.name, "transport": profile.transport} | asdict(decoded.info)
    timing = {"artifact_bytes": model_bytes(artifact)} | _timing(results, seconds) | {"target": device}
    evaluation = Evaluation(summarize(rows), timing)
    write_jsonl(out / "rows.jsonl", (c.to_row() for c in rows))
    _write_json(out / "timing.json", evaluation.timing)
    _write_json(out / "summary.json", evaluation.summary.to_row())
    journal.unlink(missing_ok=True)
    return evaluation


def evaluate_file(
    artifact: Path, problems: Sequence[Problem], out: Path | None, *, target: str, decoding: Decoding
) -> dict[str, Any]:
    """Evaluate any model file outside a run, and return the report of ``fdd-edge eval --json``.

    Args:
        artifact: The model file.
        problems: With gold answers.
        out: A new folder for rows, timing and summary; None keeps none.
        target: Name or path of a device profile.
        decoding: Settings.

    Raises:
        FddError: The file is broken, or ``out`` exists.
    """
    facts = describe_model(artifact)
    sha256 = hash_model(artifact)
    certificate = find_certificate(artifact, sha256)
    parity = "none" if certificate is None else "passed" if certificate.passed else "failed"
    found: list[Evaluation] = []

    def make(folder: Path) -> None:
        found.append(complete(artifact, problems, folder, target=target, decoding=decoding, title=_title(artifact)))

    if out is None:
        with tempfile.TemporaryDirectory(prefix="fdd-edge-") as temporary:
            make(Path(temporary))
    else:
        problems_sha256 = hash_problems(problems)
        made_from = {
            "artifact": sha256,
            "problems": problems_sha256,
            "decoding": decoding.fingerprint(target, artifact),
        }
        build_atomic(out, make, params=made_from)
    return _report(artifact, sha256, facts.recipe, found[0]) | {"parity": parity}


def ask(artifact: Path, question: str, *, target: str, decoding: Decoding) -> Completion:
    """Put one question to a model file.

    Raises:
        FddError: The file is broken.
        TargetError: The target failed.
    """
    if not question.strip():
        raise FddError("The question is empty.")
    describe_model(artifact)
    waves = plan_waves([Task("question", 0, question)])
    events = _run(artifact, load_profile(target), decoding, waves, lambda done: None)
    return next(event for event in events if isinstance(event, WaveResult)).completions[0]


def _title(artifact: Path) -> str:
    """Return a name for the progress line: a file that is named like any other goes by its folder."""
    return artifact.parent.name if artifact.name == MODEL_FILE else artifact.name


def _report(artifact: Path, sha256: str, recipe: str | None, evaluation: Evaluation) -> dict[str, Any]:
    timing = dict(evaluation.timing)
    return evaluation.summary.to_row() | {
        "problems_per_second": timing["problems_per_second"],
        "tokens_per_second": timing["tokens_per_second"],
        "peak_rss_mb": round(timing["peak_rss_bytes"] / 1e6, 1),
        "artifact": {
            "path": str(artifact),
            "sha256": sha256,
            "bytes": timing["artifact_bytes"],
            "recipe": recipe,
        },
        "target": timing["target"],
    }


def read_rows(folder: Path) -> list[Completion]:
    """Read the scored completions of an evaluation folder.

    Raises:
        FddError: The folder is none, or its completions cannot be read.
    """
    path = folder / "rows.jsonl"
    if folder.is_dir() and not path.exists():
        raise FddError(
            f"{folder} is no evaluation; name a folder such as RUN/round-00/eval/TARGET/RECIPE/pool, or what "
            "fdd-edge eval -o wrote."
        )
    return [Completion.from_row(row) for _, row in read_jsonl(path)]


def read_evaluation(folder: Path) -> Evaluation:
    """Read an evaluation folder back."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    timing = json.loads((folder / "timing.json").read_text(encoding="utf-8"))
    return Evaluation(Summary.from_row(summary), timing)


class _Decoded(NamedTuple):
    """All waves of an evaluation: on which device, by index, and the seconds of the clock if none was done before."""

    info: TargetInfo
    finished: dict[int, WaveResult]
    seconds: float | None


def _decode(
    artifact: Path, waves: Sequence[Wave], journal: Path, *, profile: Profile, decoding: Decoding, title: str
) -> _Decoded | None:
    """Decode the waves that the journal lacks; None where it was another device's, and is gone now."""
    info, finished = _read_journal(journal)
    # GreedyReply again whole: a line that a kill tore would swallow the next one.
    kept: list[Event] = [*([info] if info else []), *finished.values()]
    journal.write_text("".join(encode(event) + "\n" for event in kept), encoding="utf-8")
    missing = [wave for wave in waves if wave.index not in finished]
    began, begun_before = time.monotonic(), bool(finished)
    total, left = (sum(len(wave.tasks) for wave in some) for some in (waves, missing))
    if missing:
        with progress(title, total) as advance:
            for event in _run(artifact, profile, decoding, missing, lambda n: advance(total - left + n)):
                if isinstance(event, TargetInfo) and info is not None and (other := _differences(info, event)):
                    announce(f"{title}: {other} of {profile.name} is another one now, so all begins anew")
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
    """Return what two sessions' devices differ in; rows of both would be of neither."""
    return ", ".join(name for name in EQUAL if getattr(one, name) != getattr(other, name))


def _run(
    artifact: Path,
    profile: Profile,
    decoding: Decoding,
    waves: Sequence[Wave],
    on_progress: Callable[[int], None],
) -> Iterator[TargetInfo | WaveResult]:
    """Yield what the target says of itself, then finished waves."""
    with open_session(
        profile,
        artifact,
        settings=decoding.settings(profile),
        prompt=decoding.prompt,
        shots=decoding.shots,
    ) as session:
        yield session.info
        yield from session.complete(waves, on_progress)


def _read_journal(path: Path) -> tuple[TargetInfo | None, dict[int, WaveResult]]:
    """Read the waves that are finished, and of which target; a last line that was cut off by a kill is passed over."""
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


def _timing(results: Sequence[WaveResult], seconds: float | None) -> dict[str, Any]:
    """Return what the evaluation cost; what was not measured is None.

    Problems and tokens a second are those of the whole target; prompt and reply speeds are those of one runner.

    Args:
        results: The waves.
        seconds: That the target took; None where runners shared the waves and a part was done earlier.
    """
    timings = [result.timing for result in results]
    busy, reading = sum(t.seconds for t in timings), sum(t.prompt_seconds for t in timings)
    prompt_tokens, decode_tokens = sum(t.prompt_tokens for t in timings), sum(t.decode_tokens for t in timings)

    def per_second(count: int, spent: float | None) -> float | None:
        return round(count / spent, 3) if spent else None

    return {
        "seconds": None if seconds is None else round(seconds, 3),
        "problems_per_second": per_second(sum(len(r.completions) for r in results), seconds),
        "tokens_per_second": per_second(decode_tokens, seconds),
        "prompt_tokens_per_second": per_second(prompt_tokens, reading),
        "decode_tokens_per_second": per_second(decode_tokens, busy - reading),
        "prompt_tokens": prompt_tokens,
        "decode_tokens": decode_tokens,
        "peak_rss_bytes": max(t.peak_rss_bytes for t in timings),
    }


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
