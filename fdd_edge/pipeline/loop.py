"""Feedback-driven distillation (arXiv 2411.14698), judged on the device: the rounds, one after the other.

A round trains the student on all data so far, exports it, runs the exported files on the targets, splits problems
into easy and hard by what the judge's file solved, and lets the teacher write the next round's problems.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fdd_edge.config import Config
from fdd_edge.pipeline.adapters import make_student
from fdd_edge.pipeline.certificates import certify_artifacts, check_judge, raise_if_any_failed
from fdd_edge.pipeline.evaluations import evaluate_reported, evaluate_untuned
from fdd_edge.pipeline.exports import export_artifacts
from fdd_edge.pipeline.labels import label_problems
from fdd_edge.pipeline.offspring import curate_problems, evolve_problems
from fdd_edge.pipeline.problems import collect_data
from fdd_edge.pipeline.retention import bring_best_back, prune_models, restore_models
from fdd_edge.pipeline.round_summary import RoundSummary, summarize_round, write_summary
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.start import check_room, started
from fdd_edge.progress import announce
from fdd_edge.runs import PrunedInputError, RoundLayout, RunLayout

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
        _run_rounds(opened, on_round)
        return opened.layout


def _run_rounds(run: Run, on_round: Callable[[RoundSummary], None]) -> None:
    """Evaluate the untuned student if the config asks for it, and do every round that is not done.

    Raises:
        ParityError: An artifact failed its certificate and was left out.
    """
    if run.config.baseline is not None:
        evaluate_untuned(run)
    for number in range(run.config.rounds):
        round_dir = run.layout.round(number)
        if not run.stages.was_made(round_dir.merged):
            check_room(run)
        try:
            summary = _run_round(run, round_dir)
        except PrunedInputError:
            restore_models(run, round_dir)
            summary = _run_round(run, round_dir)
        on_round(summary)
        if not run.stages.was_made(run.layout.round(number + 1).data):
            # An earlier round was pruned when the next one began; damage to that one is only found later.
            prune_models(run, number)
        if summary.would_repeat and number + 1 < run.config.rounds:
            announce(summary.would_repeat)
            break
    bring_best_back(run, _run_round)
    raise_if_any_failed(run)


def _run_round(run: Run, round_dir: RoundLayout) -> RoundSummary:
    """Train, export, judge, label, evolve and curate once; return what happened."""
    announce(f"Starting round {round_dir.number}, of rounds 0 to {run.config.rounds - 1}")
    collect_data(run, round_dir)
    make_student(run, round_dir)
    export_artifacts(run, round_dir, run.named.recipes.values())
    certify_artifacts(run, round_dir, run.certified.values())
    check_judge(run, round_dir)
    evaluate_reported(run, round_dir)
    label_problems(run, round_dir)
    evolve_problems(run, round_dir)
    curate_problems(run, round_dir)
    summary = summarize_round(run, round_dir)
    write_summary(summary, round_dir.summary)
    return summary
