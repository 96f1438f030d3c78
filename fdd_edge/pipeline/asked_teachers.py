"""Which teachers a run is still going to ask: none once it is finished."""

from __future__ import annotations

from collections.abc import Iterator

from fdd_edge.operations.teaching import NamedTeacher
from fdd_edge.pipeline.round_summary import says_would_repeat
from fdd_edge.pipeline.run import Run
from fdd_edge.records import read_problems

__all__ = ["teachers_to_ask"]


def teachers_to_ask(run: Run) -> Iterator[NamedTeacher]:
    """Yield the teachers that stages that are not made yet will ask, as far as can be told before."""
    if _lacks_programs(run):
        yield from run.named.solvers
    if run.config.feedback.policy != "none" and _is_written_for(run):
        yield run.named.writer


def _lacks_programs(run: Run) -> bool:
    """Return whether programs are asked for: for problems of a stage that is not made, and that has none for some."""
    layout = run.layout
    stages = {layout.round(0).data: layout.seed_problems, layout.validation: layout.valid}
    return any(
        any(problem.program is None for problem in read_problems(problems))
        for output, problems in stages.items()
        if not run.stages.was_made(output)
    )


def _is_written_for(run: Run) -> bool:
    """Return whether a round of the run still needs new problems."""
    for number in range(run.config.rounds):
        round_dir = run.layout.round(number)
        if not run.stages.was_made(round_dir.offspring):
            return True
        if says_would_repeat(round_dir.summary):
            return False
    return False
