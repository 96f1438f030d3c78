"""Running an artifact on a target over a set of problems, wave by wave, and scoring what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError
from fdd_edge.evaluation import Summary, score, summarize
from fdd_edge.ondevice.protocol import Completion, Settings, Task, Wave, WaveResult
from fdd_edge.progress import progress
from fdd_edge.records import Problem, read_jsonl, write_jsonl
from fdd_edge.targets import Profile, load_profile, open_session, plan_waves, resolve_threads

__all__ = ["EVAL_VERSION", "Decoding", "Evaluation", "complete", "read_evaluation", "read_rows"]

EVAL_VERSION = 1

_JOURNAL = "waves.jsonl"
"""Finished waves of an evaluation that is under way; a killed one goes on from here."""


@dataclass(frozen=True)
class Decoding:
    """How answers are decoded.

    Attributes:
        max_new_tokens: Tokens a reply may have.
        sequences: Problems that share a batch.
        threads: None for every core; a target's own number goes first.
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
    answer: str = "program"
    prompt: str | None = None
    shots: tuple[tuple[str, str], ...] = ()
    stop: tuple[str, ...] = ()

    def fingerprint(self, target: str) -> dict[str, Any]:
        """Return what rows depend on beside file and problems; threads as the target resolves them."""
        return asdict(self) | {"threads": resolve_threads(load_profile(target), self.threads)}


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
    journal = out / _JOURNAL
    finished = _read_journal(journal)
    missing = [wave for wave in waves if wave.index not in finished]
    facts: dict[str, Any] = {}
    if missing:
        profile = load_profile(target)
        with progress(title, len(tasks)) as advance:
            for result in _run(artifact, profile, decoding, missing, facts, advance, len(tasks) - _count(missing)):
                _append(journal, result)
                finished[result.index] = result
    rows = score([c for wave in waves for c in finished[wave.index].completions], by_id)
    summary = summarize(rows)
    write_jsonl(out / "rows.jsonl", (c.to_row() for c in rows))
    timing = _timing([finished[wave.index] for wave in waves], facts)
    (out / "timing.json").write_text(json.dumps(timing, indent=1) + "\n", encoding="utf-8")
    (out / "summary.json").write_text(json.dumps(summary.to_row(), indent=1) + "\n", encoding="utf-8")
    journal.unlink(missing_ok=True)
    return Evaluation(summary, timing)


def read_rows(folder: Path) -> list[Completion]:
    """Read the scored completions of an evaluation folder."""
    return [Completion.from_row(row) for _, row in read_jsonl(folder / "rows.jsonl")]


def read_evaluation(folder: Path) -> Evaluation:
    """Read an evaluation folder back."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    timing = json.loads((folder / "timing.json").read_text(encoding="utf-8"))
    return Evaluation(Summary.from_row(summary), timing)
