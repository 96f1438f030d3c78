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
from fdd_edge.pipeline.one_round import ask_untuned, evaluate_untuned, make_round
from fdd_edge.pipeline.plan_kept import keep_plan, kept_plan, note_peaks
from fdd_edge.pipeline.retention import bring_best_back, prune_models, restore_models
from fdd_edge.pipeline.round_summary import RoundSummary, summarize_round, write_summary
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.shown_questions import OnAnswers
from fdd_edge.pipeline.stages.certificates import failed_certificates
from fdd_edge.pipeline.start import check_room, started
from fdd_edge.pipeline.time_left import RunClock
from fdd_edge.pipeline.tracked_rounds import report_round, tracking_of
from fdd_edge.progress import warn, working
from fdd_edge.runs import PrunedInputError, RunLayout

__all__ = ["run"]


def run(
    config: Config,
    source: Mapping[str, Any],
    *,
    parity: bool = True,
    on_round: Callable[[RoundSummary], None] = lambda summary: None,
    on_answers: OnAnswers = lambda shown: None,
) -> RunLayout:
    """Run a config, or resume where an earlier call stopped.

    Args:
        config: The checked config.
        source: The config as written, stored in the run folder.
        parity: Whether each artifact is certified before it is evaluated; if not, the manifest says so.
        on_round: Called with the figures of every round, also of those that were finished earlier.
        on_answers: Called with the answers that are shown before training and in every round, earlier ones included.

    Returns:
        The run folder.

    Raises:
        FddError: The folder belongs to another run, something in the config does not exist, or a stage failed.
        ParityError: An artifact failed its certificate: the judge's at once, any other once the rounds are done.
    """
    with started(config, source, parity=parity) as opened:
        _show_time_left(opened)
        ask_untuned(opened, on_answers)
        if not opened.stages.was_made(opened.layout.round(0).adapter):
            with working("planning the run"):
                keep_plan(config, opened.layout, parity=parity)
            _show_time_left(opened)
        _run_rounds(opened, on_round, on_answers)
        return opened.layout


def _show_time_left(run: Run) -> None:
    """Let every stage from now on say how long the run still takes, if it has a plan."""
    plan = kept_plan(run.layout)
    taken = {name: entry.seconds for name, entry in run.manifest.stages.items()}
    parts, is_partial = ((), False) if plan is None else (plan.parts, plan.is_partial)
    run.stages.watch(RunClock(parts, run.config.rounds, taken, is_partial=is_partial).watch)


def _run_rounds(run: Run, on_round: Callable[[RoundSummary], None], on_answers: OnAnswers) -> None:
    """Do every round that is not done, and then evaluate the untuned student if the config asks for it.

    Nothing in a round depends on the untuned student, whose certificate and evaluation take minutes: before training
    it is only asked a few questions.

    Raises:
        ParityError: An artifact failed its certificate and was left out.
    """
    for number in range(run.config.rounds):
        round_dir = run.layout.round(number)
        is_new = not run.stages.was_made(round_dir.curated)
        if not run.stages.was_made(round_dir.merged):
            check_room(run)
        try:
            summary = make_round(run, round_dir, on_answers)
        except PrunedInputError:
            restore_models(run, round_dir)
            summary = make_round(run, round_dir, on_answers)
        if is_new:
            note_peaks(run.layout)
            report_round(tracking_of(run, round_dir), summary, round_dir)
        on_round(summary)
        if not run.stages.was_made(run.layout.round(number + 1).data):
            # An earlier round was pruned when the next one began; damage to that one is only found later.
            prune_models(run, number)
        if summary.would_repeat and number + 1 < run.config.rounds:
            warn(summary.would_repeat)
            break
    bring_best_back(run, make_round)
    if evaluate_untuned(run):
        _add_untuned(run)
    _raise_if_any_failed(run)


def _add_untuned(run: Run) -> None:
    """Write the figures of the untuned student, which are known only now, into those of the rounds."""
    for round_dir in run.layout.rounds:
        if round_dir.summary.is_file():
            write_summary(summarize_round(run, round_dir), round_dir.summary)


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
