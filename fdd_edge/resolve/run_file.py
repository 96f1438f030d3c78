"""Whether a file of problems is a run's own: only then do the marks count that a run sets on its problems."""

from __future__ import annotations

from pathlib import Path

from fdd_edge.runs import RunLayout

__all__ = ["is_file_of_run"]


def is_file_of_run(path: Path) -> bool:
    """Return whether a file is inside a run folder; a copy elsewhere may be anybody's."""
    folders = path.expanduser().absolute().parents
    return any(run.is_run() and run.manifest.is_file() for run in map(RunLayout, folders))
