"""What experiment trackers get of a run: one of their runs per round, with its losses and its figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fdd_edge.operations.tracked_figures import report
from fdd_edge.operations.training_record import read_training
from fdd_edge.pipeline.round_summary import RoundSummary
from fdd_edge.pipeline.run import Run
from fdd_edge.progress import warn
from fdd_edge.runs import RoundLayout
from fdd_edge.students.tracking import Tracking, new_id

__all__ = ["figures_of", "report_round", "tracking_of"]


def tracking_of(run: Run, round_dir: RoundLayout) -> Tracking:
    """Return where a round's training and figures are reported to."""
    return Tracking(
        trackers=run.config.training.report_to,
        folder=run.layout.tensorboard / round_dir.name,
        name=f"{run.layout.root.resolve().name} {round_dir.name}",
    )


def report_round(tracking: Tracking, summary: RoundSummary, round_dir: RoundLayout) -> None:
    """Report the figures of a finished round under the last step of its training, where its losses are.

    A training that was done before the run had trackers has no losses there; its figures get a run of their own.
    """
    if not tracking.trackers:
        return
    try:
        figures, trained = dict(figures_of(summary)), read_training(round_dir.adapter)
    except Exception as error:  # trackers are company: nothing about them ends a run
        warn(f"The figures of {round_dir.name} were not reported ({type(error).__name__}: {error!s:.200}).")
        return
    report(replace(tracking, id=trained.tracked_as or new_id()), figures, trained.steps)


def figures_of(summary: RoundSummary) -> Iterator[tuple[str, float]]:
    """Yield the figures of a round: accuracies by set and artifact, labels, problems, and what decoding costs."""
    for found in summary.evaluations:
        artifact = found.recipe if found.target == "local" else f"{found.recipe} on {found.target}"
        yield f"accuracy/{found.dataset}/{artifact}", found.correct / found.n
        yield f"no_answer/{found.dataset}/{artifact}", found.no_answer / found.n
        if found.problems_per_second is not None:
            yield f"problems_per_second/{found.dataset}/{artifact}", found.problems_per_second
    for label, n in summary.split.items():
        yield f"labelled/{label}", n
    yield "problems/trained_on", sum(summary.data.values())
    yield "problems/new", sum(summary.accepted.values())
    yield "gates_failed", len(summary.held_back)
