"""Curation: which of a teacher's new problems the next round may train on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fdd_edge.curation import ProgramStyle, Reason, curate, reject
from fdd_edge.feedback import sample_new
from fdd_edge.records import Problem, read_problems, write_jsonl
from fdd_edge.runs.stage_files import VALID, CuratedFiles

__all__ = ["curate_offspring", "read_protected"]


def curate_offspring(
    out: Path,
    *,
    evolved: Path,
    known: Sequence[Path],
    protected: Mapping[str, Path],
    max_new: int | None,
    style: ProgramStyle,
    seed: int,
) -> None:
    """Separate new problems into those that the next round may train on and those that it may not.

    Args:
        out: Folder, see ``CuratedFiles``.
        evolved: New problems.
        known: Problems that are trained on, or will be.
        protected: The valid and eval sets, by name.
        max_new: Accept at most this many, split proportionally between branches; None accepts all.
        style: How programs are trained on, whoever wrote them.
        seed: Draws which.
    """
    inside = [problem for path in known for problem in read_problems(path)]
    valid, tests = read_protected(protected)
    curated = curate(read_problems(evolved), known=inside, valid=valid, protected=tests, style=style)
    accepted = sample_new(curated.kept, max_new, seed)
    drawn = {p.id for p in accepted}
    over = [reject(p, Reason.OVER_MAX_NEW) for p in curated.kept if p.id not in drawn]
    written = CuratedFiles(out)
    write_jsonl(written.accepted, (p.to_row() for p in accepted))
    write_jsonl(written.rejected, (p.to_row() for p in (*curated.rejected, *over)))


def read_protected(paths: Mapping[str, Path]) -> tuple[list[Problem], dict[str, list[Problem]]]:
    """Return the problems of ``valid``, and the test sets by name."""
    sets = {name: read_problems(path) for name, path in paths.items()}
    return sets.pop(VALID, []), sets
