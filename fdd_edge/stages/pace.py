"""How long a round will take on a slow target, measured on a few of its problems before it begins."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fdd_edge.ondevice.protocol import Task, Wave
from fdd_edge.progress import progress
from fdd_edge.records import Problem
from fdd_edge.stages.evaluation import Decoding
from fdd_edge.targets import load_profile, open_session

__all__ = ["PACE_VERSION", "Work", "forecast", "measure_pace", "read_pace", "write_pace"]

PACE_VERSION = 1

_PROBLEMS = 4
"""For each runner: enough to see the pace, few enough to be worth it."""

_HOUR = 3600.0


class Work(NamedTuple):
    """What a round decodes on a target.

    Attributes:
        reported: Problems of the reported sets, times artifacts.
        labelled: Problems that are labelled; 0 where another target judges.
        samples: Replies a labelled problem.
    """

    reported: int
    labelled: int
    samples: int


def measure_pace(artifact: Path, problems: Sequence[Problem], *, target: str, decoding: Decoding) -> float:
    """Return the seconds that a problem takes on a target, loading not counted.

    Raises:
        TargetError: The target failed.
    """
    profile = load_profile(target)
    with open_session(profile, artifact, settings=decoding.settings(profile), afresh=True) as session:
        chosen = problems[: _PROBLEMS * session.runners]
        tasks = [Task(p.id, 0, p.question) for p in chosen]
        shares = [tuple(tasks[i :: session.runners]) for i in range(session.runners)]
        waves = [Wave(i, share) for i, share in enumerate(shares) if share]
        with progress(f"pace on {profile.name}", len(tasks)) as advance:
            began = time.monotonic()
            for _ in session.complete(waves, advance):
                pass
            return (time.monotonic() - began) / len(tasks)


def write_pace(artifact: Path, problems: Sequence[Problem], out: Path, *, target: str, decoding: Decoding) -> None:
    """Write the pace to the file ``out``; see ``measure_pace``."""
    seconds = measure_pace(artifact, problems, target=target, decoding=decoding)
    out.write_text(json.dumps({"seconds_per_problem": round(seconds, 3)}) + "\n", encoding="utf-8")


def read_pace(path: Path) -> float:
    """Read a pace back, seconds a problem."""
    return float(json.loads(path.read_text(encoding="utf-8"))["seconds_per_problem"])


def forecast(target: str, pace: float, work: Work) -> str:
    """Return what a round will take on a target, and how to make it an hour.

    Args:
        target: Its name.
        pace: Seconds a problem.
        work: What is decoded there.
    """
    reported, labelled = work.reported * pace, work.labelled * work.samples * pace
    parts = f"{work.reported} reported" + (f" and {work.labelled} labelled" if work.labelled else "")
    said = f"{target}: {pace:.1f} s a problem, about {_duration(reported + labelled)} a round for {parts} problems."
    if reported + labelled <= _HOUR:
        return said
    fitting = int((_HOUR - reported) / (pace * work.samples)) if work.labelled else 0
    if fitting > 0:
        return f"{said} feedback.limit={fitting} fits an hour."
    return f"{said} The reported sets alone take {_duration(reported)}: give valid and eval a limit."


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
