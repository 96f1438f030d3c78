"""Verifies a run, a folder of one, or a folder that ``fdd-edge export`` wrote: is everything what it claims to be?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import find_model
from fdd_edge.pipeline.findings import Finding, Verification
from fdd_edge.pipeline.verified_export import verified_export
from fdd_edge.pipeline.verified_run import verified_run
from fdd_edge.runs import RunLayout

__all__ = ["verify_path"]


def verify_path(
    path: Path, *, reference: str | None = None, on_finding: Callable[[Finding], None] = lambda finding: None
) -> Verification:
    """Look at everything in a folder, up to the first thing that is not what it claims to be.

    Nothing is written to the folder. Artifacts that are made again are made in the system's folder for temporary files.

    Args:
        path: A run, a folder of one, such as ``best``, or a folder that ``fdd-edge export`` wrote.
        reference: The float model that exported artifacts were made from, named as for ``fdd-edge export``.
        on_finding: Called with each finding as soon as it is there.

    Raises:
        FddError: The folder is none of these, or a process is writing to it.
    """
    findings: list[Finding] = []
    for finding in _findings(path, reference):
        findings.append(finding)
        on_finding(finding)
        if finding.holds is False:
            break
    return Verification(path, findings)


def _findings(path: Path, reference: str | None) -> Iterator[Finding]:
    if not path.is_dir():
        what = "is not a folder" if path.exists() else "does not exist"
        raise FddError(f"{path} {what}; name a run, or a folder that fdd-edge export wrote.")
    run = _run_around(path.resolve())
    if run is not None:
        if reference is not None:
            raise FddError(f"{path} is of a run, which holds its float model; leave out --reference.")
        by_link = any(one.is_symlink() and one.resolve().parent == run.root for one in (path, *path.parents))
        return verified_run(run, path.resolve().relative_to(run.root), by_link=by_link)
    artifacts = [folder for folder in (path, *sorted(path.iterdir())) if find_model(folder).is_file()]
    if not artifacts:
        raise FddError(
            f"{path} is neither a run, nor a folder of one, nor does it hold an artifact; name a run, or a folder that "
            "fdd-edge export wrote."
        )
    return verified_export(path, artifacts, reference)


def _run_around(path: Path) -> RunLayout | None:
    """Return the run that a folder is, or lies in where the run has outputs; None if it is no part of one."""
    for folder in (path, *path.parents):
        run = RunLayout(folder)
        if run.is_run():
            outputs = (run.data, run.untuned.root, *(round_dir.root for round_dir in run.rounds))
            return run if path == folder or any(path.is_relative_to(output) for output in outputs) else None
    return None
