"""The command line with faults: when a run comes to a stage, something happens to it there.

    python tests/loop/faults.py '[{"fault": "signal", "number": 9, "stage": "round-00/split"}]' run smoke -o OUT

Everything else is as a user runs it. The faults are real ones: a signal, a full disk, another process on the folder.

Keys of one, beside ``fault`` and ``stage`` (the path of the stage's output in the run folder):

- ``signal``: the process gets the signal ``number`` at a ``moment``: ``begun``, ``written`` (made, not yet in its
  place), ``placed`` (not yet in the manifest), ``step N`` (an optimizer step of training), or so many seconds after it
  began, at the latest when it is written.
- ``full``: the file ``filler`` takes what is left of its disk but ``room`` bytes.
- ``runner``: the runner dies of the signal ``number`` as it is handed the job number ``job``, a wave or a text.
- ``second``: the same command is run beside, to its end; its exit code and stderr go to the file ``report``.
- ``clock``: the clock of ``clock.c``, whose offset stands in the file ``file``, is set off by ``to`` seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fdd_edge.cli import main
from fdd_edge.ondevice.protocol import Score, Wave
from fdd_edge.runs import Manifest, Stages
from fdd_edge.students import lora_training as train
from fdd_edge.targets.runner_session import RunnerSession

Make = Callable[..., object]


class Fault:
    """Happens once, in one stage, and says so on stderr."""

    def __init__(self, keys: Mapping[str, Any], command: Sequence[str]) -> None:
        self.keys, self.command = keys, command
        self.stage: str = keys["stage"]
        self.moment: str | float = keys.get("moment", "begun")
        self.waits_for_runner = keys["fault"] == "runner"
        self.happened = False

    def happen(self, moment: str) -> None:
        if not self.happened:
            self.happened = True
            sys.stderr.write(f"{self.keys['fault']} in {self.stage} ({moment})\n")
            sys.stderr.flush()
            getattr(self, f"_{self.keys['fault']}")()

    def at(self, moment: str) -> None:
        if moment == self.moment and not self.waits_for_runner:
            self.happen(moment)

    def in_make(self, make: Make) -> Make:
        """Wrap what makes the output of the stage."""

        def wrapped(out: Path, **given: object) -> None:
            self.at("begun")
            if isinstance(self.moment, float):
                timer = threading.Timer(self.moment, self.happen, [f"after {self.moment:.2f} s"])
                timer.daemon = True
                timer.start()
            make(out, **given)
            self.at("written")
            if isinstance(self.moment, float):
                self.happen("written")

        return wrapped

    def before_job(self, number: int, session: RunnerSession) -> None:
        """Kill the runner that is about to be handed a job."""
        if self.waits_for_runner and not self.happened and number == self.keys["job"]:
            self.happened = True
            os.kill(session.pid, self.keys["number"])

    def _signal(self) -> None:
        os.kill(os.getpid(), self.keys["number"])

    def _full(self) -> None:
        filler = Path(self.keys["filler"])
        disk = os.statvfs(filler.parent)
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, disk.f_bavail * disk.f_frsize - self.keys["room"]))

    def _second(self) -> None:
        command = [sys.executable, "-m", "fdd_edge", *self.command]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        with Path(self.keys["report"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps([ran.returncode, ran.stderr]) + "\n")

    def _clock(self) -> None:
        Path(self.keys["file"]).write_text(str(self.keys["to"]), encoding="ascii")


def arm_stages(faults: Sequence[Fault], current: list[Fault]) -> None:
    """Stand between the run and its stages; keep who is armed for the stage at hand in ``current``."""
    ensure, write = Stages.ensure, Manifest.write

    def faulty_ensure(stages: Stages, output: Path, make: Make, **rest: Any) -> bool:
        current[:] = [fault for fault in faults if output.as_posix().endswith(f"/{fault.stage}")]
        for fault in current:
            make = fault.in_make(make)
        try:
            return ensure(stages, output, make, **rest)
        finally:
            current.clear()

    def faulty_write(manifest: Manifest) -> None:
        for fault in current:
            if fault.stage in manifest.stages:
                fault.at("placed")
        write(manifest)

    Stages.ensure = faulty_ensure  # type: ignore[method-assign, assignment]
    Manifest.write = faulty_write  # type: ignore[method-assign, assignment]


def arm_runners(current: Sequence[Fault]) -> None:
    """Stand between a stage and the runner it hands jobs to."""
    complete, score = RunnerSession.complete, RunnerSession.score

    def dying(jobs: Iterable[Any], session: RunnerSession) -> Iterator[Any]:
        for number, job in enumerate(jobs):
            for fault in current:
                fault.before_job(number, session)
            yield job

    def faulty_complete(session: RunnerSession, waves: Iterable[Wave], *rest: Any) -> Iterator[Any]:
        return complete(session, dying(waves, session), *rest)

    def faulty_score(session: RunnerSession, texts: Iterable[Score], *rest: Any) -> Iterator[Any]:
        return score(session, dying(texts, session), *rest)

    RunnerSession.complete = faulty_complete  # type: ignore[method-assign, assignment]
    RunnerSession.score = faulty_score  # type: ignore[method-assign, assignment]


def arm_training(current: Sequence[Fault]) -> None:
    """Stand between the training stage and its optimizer steps."""
    fit = train.train_adapter

    def faulty_fit(*given: Any, on_step: Callable[[int, int, float | None], None], **rest: Any) -> Any:
        def step_on(step: int, of: int, loss: float | None) -> None:
            on_step(step, of, loss)
            for fault in current:
                fault.at(f"step {step}")

        return fit(*given, on_step=step_on, **rest)

    train.train_adapter = faulty_fit  # type: ignore[assignment]


def arm(faults: Sequence[Fault]) -> None:
    """Let the faults happen, each in its stage."""
    current: list[Fault] = []
    arm_stages(faults, current)
    arm_runners(current)
    arm_training(current)


if __name__ == "__main__":
    sys.argv[1:], given = sys.argv[2:], sys.argv[1]
    arm([Fault(keys, sys.argv[1:]) for keys in json.loads(given)])
    main()
