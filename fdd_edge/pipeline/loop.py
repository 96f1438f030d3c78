"""Feedback-driven distillation (arXiv 2411.14698), judged on the device: the rounds, one after the other.

A round trains the student on all data so far, exports it, runs the exported files on the targets, splits problems
into easy and hard by what the judge's file solved, and lets the teacher write the next round's problems.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fdd_edge.config import Config
from fdd_edge.errors import ParityError
from fdd_edge.operations.certify import failure_message
from fdd_edge.pipeline.one_round import evaluate_untuned, make_round
from fdd_edge.pipeline.plan_kept import keep_plan, note_peaks
from fdd_edge.pipeline.retention import bring_best_back, prune_models, restore_models
from fdd_edge.pipeline.round_summary import RoundSummary
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.stages.certificates import failed_certificates
from fdd_edge.pipeline.start import check_room, started
from fdd_edge.progress import warn
from fdd_edge.runs import PrunedInputError, RunLayout

__all__ = ["run"]


def run(
    config: Config,
    source: Mapping[str, Any],
    *,
    parity: bool = True,
    on_round: Callable[[RoundSummary], None] = lambda summary: None,
) -> RunLayout:
    """Run a config, or resume where an earlier call stopped.

    Args:
        config: The checked config.
        source: The config as written, stored in the run folder.
        parity: Whether each artifact is certified before it is evaluated; if not, the manifest says so.
        on_round: Called with the figures of every round, also of those that were finished earlier.

    Returns:
        The run folder.

    Raises:
        FddError: The folder belongs to another run, something in the config does not exist, or a stage failed.
        ParityError: An artifact failed its certificate: the judge's at once, any other once the rounds are done.
    """
    with started(config, source, parity=parity) as opened:
        if not opened.layout.has_work():
            keep_plan(config, opened.layout, parity=parity)
        _run_rounds(opened, on_round)
        return opened.layout


def _run_rounds(run: Run, on_round: Callable[[RoundSummary], None]) -> None:
    """Evaluate the untuned student if the config asks for it, and do every round that is not done.

    Raises:
        ParityError: An artifact failed its certificate and was left out.
    """
    evaluate_untuned(run)
    for number in range(run.config.rounds):
        round_dir = run.layout.round(number)
        is_new = not run.stages.was_made(round_dir.curated)
        if not run.stages.was_made(round_dir.merged):
            check_room(run)
        try:
            summary = make_round(run, round_dir)
        except PrunedInputError:
            restore_models(run, round_dir)
            summary = make_round(run, round_dir)
        if is_new:
            note_peaks(run.layout)
        on_round(summary)
        if not run.stages.was_made(run.layout.round(number + 1).data):
            # An earlier round was pruned when the next one began; damage to that one is only found later.
            prune_models(run, number)
        if summary.would_repeat and number + 1 < run.config.rounds:
            warn(summary.would_repeat)
            break
    bring_best_back(run, make_round)
    _raise_if_any_failed(run)


def _raise_if_any_failed(run: Run) -> None:
    """Report every artifact of the run that failed its certificate.

    Raises:
        ParityError: There are some; each was left out of the evaluations.
    """
    folders = [run.layout.untuned, *map(run.layout.round, range(run.config.rounds))]
    messages = [
        failure_message(list(failed.values()), f"the evaluations of {layout.name}")
        for layout in folders
        if (failed := failed_certificates(run, layout))
    ]
    if messages:
        raise ParityError("\n".join(messages))
