"""Which rounds' models stay on disk, and how deleted ones are rebuilt when needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fdd_edge.pipeline.gates import best_of, judge_rounds
from fdd_edge.pipeline.run import Run
from fdd_edge.progress import announce
from fdd_edge.runs import RoundLayout

__all__ = ["bring_best_back", "prune_models", "restore_models"]


def prune_models(run: Run, number: int) -> None:
    """Point ``best`` at the best round, and delete the models of rounds up to ``number`` that ``keep`` does not name.

    If every round fails a gate, there is no best one, and the newest is kept.
    """
    best = best_of(judge_rounds(run))
    run.layout.link_best(best)
    so_far = [run.layout.round(n) for n in range(number + 1)]
    newest = so_far[-1].name
    kept: dict[str | None, set[str]] = {
        "all": {round_dir.name for round_dir in so_far},
        "best": {best or newest},
        "last": {newest},
        None: {best or newest, newest},
    }
    for round_dir in so_far:
        if round_dir.name not in kept[run.config.keep]:
            for output in _model_outputs(run, round_dir):
                run.stages.prune(output)


def restore_models(run: Run, round_dir: RoundLayout) -> None:
    """Forget that a round's models were made, so that they are made again."""
    announce(f"{round_dir.name}: making its deleted models again")
    for output in _model_outputs(run, round_dir):
        run.stages.restore(output)


def bring_best_back(run: Run, make_round: Callable[[Run, RoundLayout], object]) -> None:
    """Make the best round's models again if they were deleted: changed gates may have made it the best since."""
    best = best_of(judge_rounds(run))
    if best is None or run.config.keep == "last":
        return
    round_dir = RoundLayout(run.layout.root / best)
    if run.stages.is_pruned(round_dir.merged):
        restore_models(run, round_dir)
        make_round(run, round_dir)


def _model_outputs(run: Run, round_dir: RoundLayout) -> list[Path]:
    """Return the outputs of a round that ``keep`` deletes, by far its largest: merged student, artifacts, reference."""
    artifacts = dict.fromkeys([run.named.float_recipe.name, *run.named.recipes])
    return [round_dir.merged, *(round_dir.artifact(name) for name in artifacts), round_dir.reference]
