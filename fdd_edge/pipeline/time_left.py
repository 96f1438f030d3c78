"""How long a run still takes: its plan, corrected by what its finished stages really took.

A unit is what a round, or the untuned student, spends on one kind of work, such as training. The plan says how long
each unit takes; those that are behind us say by how much it is wrong, for their kind and, as long as nothing of a kind
is behind us, for all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from fdd_edge.progress import Estimate, about, announce, working
from fdd_edge.runs.stage_files import SHOWN
from fdd_edge.runs.stage_words import COLLECTING, ROUND, UNTUNED_FOLDER, describe_stage

__all__ = ["RunClock", "Unit"]

_IN_ROUND = ("training", "export", "certificates", "evaluation", "teacher")
"""The kinds of work of a round, in their order."""

_IN_UNTUNED = ("certificates", "evaluation")
"""Those of the untuned student that follow the rounds; its files are exported before them, to ask it first."""

_IN_WORDS = {
    "training": "training",
    "export": "export",
    "certificates": "certificates",
    "evaluation": "evaluation",
    "teacher": "new problems",
}

_ALL_WEIGHT, _KIND_WEIGHT = 0.1, 0.03
"""What share of the whole run must be behind us for what it took to count as much as the plan: of anything, and of the
same kind. Less of it says little: a file that took 6 s instead of 3 does not double the rest of the run."""

_BOUNDS = (0.2, 20.0)
"""How wrong a plan may be taken to be: a machine that is busy for a minute is not that slow for good."""

_SOON = 5.0
"""Seconds that are not worth counting."""


class Unit(NamedTuple):
    """The work of one kind in one round."""

    folder: str
    kind: str


class RunClock:
    """Knows which unit of a run is worked on, what every unit has taken so far, and what the plan expects."""

    def __init__(
        self, parts: Sequence[Mapping[str, float]], rounds: int, taken: Mapping[str, float], *, is_partial: bool = False
    ) -> None:
        """Take the plan.

        Args:
            parts: Seconds by kind, of every round that was planned, and then of the untuned student if it is
                evaluated; empty without a plan.
            rounds: How many rounds there are; more than were planned take as long as the last of these.
            taken: What stages took so far, by the path of the output in the run folder.
            is_partial: Whether the plan does not know everything.
        """
        self._rounds = rounds
        self._is_partial = is_partial
        self._planned = _planned(parts, rounds)
        self._taken = dict.fromkeys(self._planned, 0.0)
        for name, seconds in taken.items():
            self._add(_unit_of(name), seconds)
        self._now: Unit | None = None
        self._began = 0.0

    @contextmanager
    def watch(self, name: str) -> Iterator[None]:
        """Show what a stage does, and how long the run still takes, while it is made.

        Args:
            name: The path of its output in the run folder.
        """
        stage = describe_stage(name)
        unit, where = _unit_of(name), self._where(stage.folder)
        is_next = unit != self._now and unit.kind in _IN_WORDS and bool(where)
        self._now, self._began = unit, time.monotonic()
        if is_next:
            announce(" · ".join(part for part in (where, _IN_WORDS[unit.kind], self._to_go(None)) if part))
        try:
            with working(stage.words, where, self._to_go):
                yield
        finally:
            self._add(unit, time.monotonic() - self._began)
            self._began = time.monotonic()

    def seconds_left(self, bar: Estimate | None = None) -> float | None:
        """Return how long the run still takes; None without a plan.

        Args:
            bar: How long the piece of work in progress takes, if it is known.
        """
        if not self._planned:
            return None
        units, now = list(self._planned), self._now
        behind = [unit for unit in units if self._taken[unit] and unit != now]
        # What was not done before the last that was done never will be; but the untuned student's last may be done
        # while a further round begins.
        done = {unit.folder == UNTUNED_FOLDER: i for i, unit in enumerate(units) if self._taken[unit]}
        at = units.index(now) if now in units else done.get(False, -1)
        ahead = [unit for i, unit in enumerate(units) if i > max(at, done.get(unit.folder == UNTUNED_FOLDER, -1))]
        rest = 0.0 if now is None or now not in self._planned else self._rest(now, behind, bar)
        return rest + sum(self._expected(unit, behind, bar) for unit in ahead)

    def _rest(self, unit: Unit, behind: Sequence[Unit], bar: Estimate | None) -> float:
        """Return what is left of the unit in progress: at least its bar says so."""
        spent = self._taken[unit] + (time.monotonic() - self._began if unit == self._now else 0.0)
        planned = max(0.0, self._planned[unit] * self._ratio(unit.kind, behind) - spent)
        # A training is one stage, whose bar knows better than any plan.
        return planned if bar is None else bar.left if unit.kind == "training" else max(planned, bar.left)

    def _expected(self, unit: Unit, behind: Sequence[Unit], bar: Estimate | None) -> float:
        """Return what a unit that has not begun takes; the training in progress tells about the next."""
        now = self._now
        if bar is not None and now is not None and now.kind == unit.kind == "training" and self._planned.get(now):
            return self._planned[unit] * bar.whole / self._planned[now]
        return self._planned[unit] * self._ratio(unit.kind, behind)

    def _ratio(self, kind: str, behind: Sequence[Unit]) -> float:
        """Return how many times as long as planned a kind of work takes."""
        whole = sum(self._planned.values())
        everything = _weighed(self._sums(behind), 1.0, _ALL_WEIGHT * whole)
        return _weighed(self._sums([u for u in behind if u.kind == kind]), everything, _KIND_WEIGHT * whole)

    def _sums(self, units: Sequence[Unit]) -> tuple[float, float]:
        """Return what units took, and what was planned; those that were not made again, or not planned, say nothing."""
        known = [unit for unit in units if self._taken[unit] and self._planned[unit]]
        return sum(self._taken[unit] for unit in known), sum(self._planned[unit] for unit in known)

    def _add(self, unit: Unit | None, seconds: float) -> None:
        if unit in self._taken:
            self._taken[unit] += seconds

    def _where(self, folder: str) -> str:
        if folder.startswith(ROUND):
            number = int(folder.removeprefix(ROUND))
            return f"Round {number} ({number + 1} of {self._rounds})"
        return "Untuned student" if folder == UNTUNED_FOLDER else ""

    def _to_go(self, bar: Estimate | None) -> str:
        left = self.seconds_left(bar)
        if left is None or left < _SOON:
            return "" if left is None else "nearly done"
        return f"{'at least' if self._is_partial else 'about'} {about(left)} to go"


def _planned(parts: Sequence[Mapping[str, float]], rounds: int) -> dict[Unit, float]:
    """Return the seconds of every unit, in the order in which they are worked on."""
    if not parts:
        return {}
    *_, last = in_rounds = [part for part in parts if part.get("training")] or [parts[0]]
    untuned = parts[-1] if not parts[-1].get("training") else None
    found: dict[Unit, float] = {}
    if untuned is not None:
        found[Unit(UNTUNED_FOLDER, "export")] = untuned.get("export", 0.0)
    for number in range(rounds):
        part = in_rounds[number] if number < len(in_rounds) else last
        found |= {Unit(f"{ROUND}{number:02d}", kind): part.get(kind, 0.0) for kind in _IN_ROUND}
    if untuned is not None:
        found |= {Unit(UNTUNED_FOLDER, kind): untuned.get(kind, 0.0) for kind in _IN_UNTUNED}
    return found


def _unit_of(name: str) -> Unit:
    stage = describe_stage(name)
    if stage.folder == UNTUNED_FOLDER and name.endswith(f"/{SHOWN}"):
        return Unit(stage.folder, "export")  # before the rounds, which its other evaluations follow
    # Programs that are missing in the first data are calls too, but come before everything that is planned.
    return Unit(stage.folder, "rest" if stage.words == COLLECTING else stage.kind)


def _weighed(sums: tuple[float, float], otherwise: float, weight: float) -> float:
    """Return the ratio of two sums, drawn towards another one as long as they are small."""
    real, planned = sums
    if not planned + weight:
        return otherwise
    low, high = _BOUNDS
    return min(high, max(low, (real + weight * otherwise) / (planned + weight)))
