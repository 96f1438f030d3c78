"""A run on disk, and its finished rounds: what ``run`` and ``load_run`` return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.result_base import Result

if TYPE_CHECKING:
    from fdd_edge.pipeline.round_summary import RoundSummary
    from fdd_edge.runs import RoundLayout, RunLayout

__all__ = ["RoundResult", "RunResult"]


@dataclass(frozen=True)
class RoundResult(Result):
    """A finished round of a run.

    Attributes:
        path: Its folder.
        number: Which round it is, counted from 0.
        figures: Its figures as they are stored; ``summary`` has them as attributes.
    """

    path: Path
    number: int
    figures: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, layout: RoundLayout) -> Self:
        """Read a finished round.

        Raises:
            FddError: Its figures are damaged.
        """
        try:
            figures = parse_json(layout.summary.read_text(encoding="utf-8"))
        except ValueError as error:
            raise FddError(
                f"{layout.summary} is damaged ({error}); run the same command again, and it is written anew."
            ) from None
        return cls(layout.root, layout.number, figures)

    def read_again(self) -> RoundResult:
        """Return the round as its figures are now: the untuned student's are added when it has been evaluated.

        Raises:
            FddError: Its figures are damaged.
        """
        return RoundResult.read(self._layout)

    @cached_property
    def summary(self) -> RoundSummary:
        """All its figures with their types: losses, problems, gates, evaluations, costs.

        Raises:
            FddError: Another version made the run; ``figures`` has them as they are.
        """
        from fdd_edge.pipeline.round_summary import RoundSummary

        return RoundSummary.from_row(self.figures)

    @property
    def accuracies(self) -> dict[tuple[str, str, str], float]:
        """Accuracy by (target, recipe, data set)."""
        return {
            (row["target"], row["recipe"], row["dataset"]): row["correct"] / row["n"]
            for row in self.figures["evaluations"]
        }

    @property
    def accuracy(self) -> float:
        """Accuracy of the judge's artifact on valid, on the judge's target."""
        return float(self.figures["labelled"]["valid"])

    @property
    def accuracy_shown(self) -> str:
        """That accuracy in percent, with its 95 % interval."""
        low, high = self.figures["labelled"].get("valid_ci95", (None, None))
        interval = "" if low is None else f" ({100 * low:.1f}-{100 * high:.1f})"
        return f"{100 * self.accuracy:.1f} %{interval}"

    @property
    def artifacts(self) -> dict[str, Path]:
        """Folders of the exported artifacts that are still on disk, by recipe."""
        folders = sorted(self._layout.artifacts.glob("*"))
        return {folder.name: folder for folder in folders if folder.is_dir() and not folder.name.startswith(".")}

    @property
    def claimed(self) -> list[str]:
        """Recipes of the artifacts of which it is only claimed that they passed: not checked on this machine."""
        from fdd_edge.operations.certificate_lookup import passed_here
        from fdd_edge.pipeline.round_summary import UNTUNED
        from fdd_edge.runs import RunLayout

        def is_claimed(name: str) -> bool:
            layout = RunLayout(self.path.parent).untuned if name.startswith(UNTUNED) else self._layout
            recipe = name.removeprefix(UNTUNED)
            return not passed_here(layout.parity(recipe), layout.artifact(recipe))

        return [name for name, failed in self.figures["parity"].items() if not failed and is_claimed(name)]

    @property
    def _layout(self) -> RoundLayout:
        from fdd_edge.runs import RoundLayout

        return RoundLayout(self.path)

    def __fspath__(self) -> str:
        return str(self.path)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge run --json`` prints for the round."""
        return dict(self.figures)

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [{"round": self.number} | row for row in self.figures["evaluations"]]

    def _shown(self) -> Iterable[tuple[str, object]]:
        artifacts = ", ".join(self.artifacts)
        return [("round", self.number), ("accuracy on valid", self.accuracy_shown), ("artifacts", artifacts)]


@dataclass(frozen=True)
class RunResult(Result):
    """A run on disk.

    Attributes:
        path: Its folder.
    """

    path: Path

    @property
    def layout(self) -> RunLayout:
        """Where each file of the run lies."""
        from fdd_edge.runs import RunLayout

        return RunLayout(self.path)

    @cached_property
    def rounds(self) -> list[RoundResult]:
        """Its finished rounds, in their order."""
        return [RoundResult.read(one) for one in self.layout.rounds if one.summary.is_file()]

    def round(self, number: int) -> RoundResult:
        """Return a finished round by its number.

        Raises:
            FddError: There is none.
        """
        found = {one.number: one for one in self.rounds}
        if number not in found:
            finished = f"finished are {', '.join(map(str, found))}" if found else "none has finished"
            raise FddError(f"{self.path} has no finished round {number}; {finished}.")
        return found[number]

    @property
    def best(self) -> RoundResult | None:
        """The newest round that passes its gates; None if there is none yet."""
        name = self.layout.best.resolve().name
        return next((one for one in self.rounds if one.path.name == name), None)

    def __fspath__(self) -> str:
        return str(self.path)

    def to_dict(self) -> dict[str, Any]:
        """Return path, best round and all rounds; ``fdd-edge run --json`` prints a line for each round instead."""
        best = self.best
        return {
            "path": str(self.path),
            "best": None if best is None else best.number,
            "rounds": [one.to_dict() for one in self.rounds],
        }

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [row for one in self.rounds for row in one._table_rows()]

    def _shown(self) -> Iterable[tuple[str, object]]:
        best = self.best
        shares = ", ".join(one.accuracy_shown for one in self.rounds)
        return [("run", str(self.path)), ("accuracy on valid", shares), ("best round", best and best.number)]
