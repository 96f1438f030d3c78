"""How long a round will take on a slow target, measured on a few of its problems before it begins."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fdd_edge.ondevice.protocol import Task, Wave
from fdd_edge.operations.evaluate import Decoding
from fdd_edge.progress import progress
from fdd_edge.records import Problem
from fdd_edge.targets import load_profile, open_session

__all__ = [
    "THROUGHPUT_VERSION",
    "Throughput",
    "Work",
    "forecast",
    "measure_throughput",
    "read_throughput",
    "write_throughput",
]

THROUGHPUT_VERSION = 2

_PROBLEMS = 4
"""For each runner: enough to see the pace, few enough to be worth it."""

_HOUR = 3600.0


class Throughput(NamedTuple):
    """How fast a target is.

    Attributes:
        seconds: That one runner takes for a problem, while all of them are at work.
        load_seconds: Until a file can be asked.
        runners: How many share the waves.
    """

    seconds: float
    load_seconds: float
    runners: int

    def duration(self, problems: int, wave: int) -> float:
        """Return the seconds that a set takes: whole waves, each to the runner that is free first."""
        busy = [0] * self.runners
        for first in range(0, problems, wave):
            busy[busy.index(min(busy))] += min(wave, problems - first)
        return self.load_seconds + max(busy) * self.seconds


class Work(NamedTuple):
    """What a round decodes on a target.

    Attributes:
        reported: Problems of each reported set, once for every artifact.
        labelled: Problems that are labelled; 0 where another target judges.
        samples: Replies a labelled problem.
        wave: Replies in a wave.
    """

    reported: tuple[int, ...]
    labelled: int
    samples: int
    wave: int


def measure_throughput(artifact: Path, problems: Sequence[Problem], *, target: str, decoding: Decoding) -> Throughput:
    """Ask a target a few problems, as many of every runner.

    Raises:
        TargetError: The target failed.
    """
    profile = load_profile(target)
    with open_session(profile, artifact, settings=decoding.settings(profile), afresh=True) as session:
        each = max(1, min(_PROBLEMS, len(problems) // session.runners))
        tasks = [Task(p.id, 0, p.question) for p in problems[: each * session.runners]]
        waves = [Wave(i, tuple(tasks[i * each : (i + 1) * each])) for i in range(session.runners)]
        with progress(f"pace on {profile.name}", len(tasks)) as advance:
            began = time.monotonic()
            for _ in session.complete([wave for wave in waves if wave.tasks], advance):
                pass
            seconds = (time.monotonic() - began) / each
        return Throughput(round(seconds, 3), round(session.info.load_seconds, 3), session.runners)


def write_throughput(
    artifact: Path, problems: Sequence[Problem], out: Path, *, target: str, decoding: Decoding
) -> None:
    """Write the pace to the file ``out``; see ``measure_throughput``."""
    pace = measure_throughput(artifact, problems, target=target, decoding=decoding)
    out.write_text(json.dumps(pace._asdict()) + "\n", encoding="utf-8")


def read_throughput(path: Path) -> Throughput:
    """Read a pace back."""
    return Throughput(**json.loads(path.read_text(encoding="utf-8")))


def forecast(target: str, pace: Throughput, work: Work) -> str:
    """Return what a round will take on a target, and how to make it an hour.

    Args:
        target: Its name.
        pace: How fast it is.
        work: What is decoded there.
    """
    reported = sum(pace.duration(problems, work.wave) for problems in work.reported)

    def whole(labelled: int) -> float:
        return reported + (pace.duration(labelled * work.samples, work.wave) if labelled else 0)

    parts = f"{sum(work.reported)} reported" + (f" and {work.labelled} labelled" if work.labelled else "")
    said = (
        f"{target}: {pace.seconds / pace.runners:.1f} s a problem, "
        f"about {_duration(whole(work.labelled))} a round for {parts} problems in waves of {work.wave}."
    )
    if whole(work.labelled) <= _HOUR:
        return said
    fitting = next((limit for limit in range(work.labelled, 0, -1) if whole(limit) <= _HOUR), None)
    if fitting is not None:
        return f"{said} In a new run, feedback.limit={fitting} fits an hour."
    if reported > _HOUR:
        return f"{said} The reported sets alone take {_duration(reported)}: give valid and eval a limit."
    return f"{said} Give valid and eval a limit, or choose a smaller decoding.wave."


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
