"""The gates of a run: which of its rounds may become the best."""

from __future__ import annotations

from fdd_edge.errors import FddError
from fdd_edge.operations.bench import read_measurement
from fdd_edge.pipeline.gates import Standing, read_contender, standings
from fdd_edge.pipeline.run import Run
from fdd_edge.runs.layout import VALID
from fdd_edge.targets import is_emulated, load_profile

__all__ = ["check_gates", "judge_rounds"]


def judge_rounds(this: Run, last: int | None = None) -> list[Standing]:
    """Judge the rounds that were evaluated, in their order, up to a last one."""
    target = load_profile(this.config.feedback.target).name
    gates = this.config.gates.model_dump()
    contenders = []
    for number in range(this.config.rounds if last is None else last + 1):
        place = this.layout.round(number)
        valid = place.evaluation(target, this.judge, VALID)
        if not valid.is_dir():
            break
        floats = place.evaluation("local", this.float_recipe, VALID)
        compared = gates["max_drop"] is not None and floats.is_dir()
        measured = read_measurement(place.bench(target, this.judge))
        contenders.append(read_contender(place.root.name, valid, floats if compared else None, measured))
    return standings(contenders, gates)


def check_gates(target: str, *, max_rss_mb: float | None, min_tokens_per_s: float | None) -> None:
    """Refuse gates that the judge's target cannot tell.

    Raises:
        FddError: An emulator's speed and memory are not the board's.
    """
    named = [
        f"gates.{name}"
        for name, bound in (("max_rss_mb", max_rss_mb), ("min_tokens_per_s", min_tokens_per_s))
        if bound is not None
    ]
    if named and is_emulated(load_profile(target)):
        raise FddError(
            f"{' and '.join(named)} cannot be told on {target}, which is emulated: its speed and memory are the "
            "emulator's. Leave the gate out, or judge on a board."
        )
