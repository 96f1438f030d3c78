"""How long a round will take on a slow target, estimated from a few of its problems before it begins."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import NamedTuple

from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.model_files import model_in
from fdd_edge.ondevice.protocol import Task, Wave
from fdd_edge.operations.asking import Asking
from fdd_edge.progress import progress
from fdd_edge.records import read_problems
from fdd_edge.targets import TargetRuntime, open_session

__all__ = ["Throughput", "Work", "forecast", "measure_throughput", "read_throughput"]

_PROBLEMS = 4
"""Problems per runner: enough for an estimate, and few enough to be worth it."""

_HOUR = 3600.0


class Throughput(NamedTuple):
    """How fast a target is.

    Attributes:
        seconds: Time one runner takes per problem, while all of them are working.
        load_seconds: Until a file answers questions.
        runners: How many share the waves.
    """

    seconds: float
    load_seconds: float
    runners: int

    def duration(self, problems: int, wave: int) -> float:
        """Return the seconds that a set takes: whole waves, each given to the first free runner."""
        busy = [0] * self.runners
        for first in range(0, problems, wave):
            busy[busy.index(min(busy))] += min(wave, problems - first)
        return self.load_seconds + max(busy) * self.seconds


class Work(NamedTuple):
    """What a round decodes on a target.

    Attributes:
        reported: Problems of each reported set, counted once per artifact.
        labelled: Problems that are labelled; 0 if another target is the judge's.
        samples: Replies per labelled problem.
        wave: Replies per wave.
    """

    reported: tuple[int, ...]
    labelled: int
    samples: int
    wave: int


def measure_throughput(out: Path, *, artifact: Path, problems: Path, runtime: TargetRuntime, asking: Asking) -> None:
    """Ask every runner of a target the same small number of problems; write its throughput to the file ``out``.

    Raises:
        TargetError: The target failed.
    """
    asked = read_problems(problems)
    with open_session(
        runtime.profile, Path(model_in(artifact)), settings=asking.settings(runtime), fresh=True
    ) as session:
        each = max(1, min(_PROBLEMS, len(asked) // session.runners))
        tasks = [Task(p.id, 0, p.question) for p in asked[: each * session.runners]]
        waves = [Wave(i, tuple(tasks[i * each : (i + 1) * each])) for i in range(session.runners)]
        with progress(f"measuring the speed of {runtime.profile.name}", len(tasks), "problems") as advance:
            began = time.monotonic()
            for _ in session.complete([wave for wave in waves if wave.tasks], advance):
                pass
            seconds = (time.monotonic() - began) / each
        found = Throughput(round(seconds, 3), round(session.info.load_seconds, 3), session.runners)
    out.write_text(json.dumps(found._asdict()) + "\n", encoding="utf-8")


def read_throughput(path: Path) -> Throughput:
    """Read a throughput back."""
    return Throughput(**parse_json(path.read_text(encoding="utf-8")))


def forecast(target: str, throughput: Throughput, work: Work) -> str:
    """Return a sentence on how long a round will take on a target, and how to bring it down to an hour.

    Args:
        target: Its name.
        throughput: How fast it is.
        work: What it decodes.
    """
    reported = sum(throughput.duration(problems, work.wave) for problems in work.reported)

    def total(labelled: int) -> float:
        return reported + (throughput.duration(labelled * work.samples, work.wave) if labelled else 0)

    parts = f"{sum(work.reported)} reported" + (f" and {work.labelled} labelled" if work.labelled else "")
    said = (
        f"{target}: {throughput.seconds / throughput.runners:.1f} s per problem, "
        f"about {_duration(total(work.labelled))} per round for {parts} problems in waves of {work.wave}."
    )
    if total(work.labelled) <= _HOUR:
        return said
    fitting = next((limit for limit in range(work.labelled, 0, -1) if total(limit) <= _HOUR), None)
    if fitting is not None:
        return f"{said} In a new run, feedback.limit={fitting} would bring a round below an hour."
    if reported > _HOUR:
        return f"{said} The reported sets alone take {_duration(reported)}: limit valid and eval."
    return f"{said} Limit valid and eval, or choose a smaller decoding.wave."


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
