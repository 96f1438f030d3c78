"""Writing a report to a file, without losing what somebody has put there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from fdd_edge.errors import FddError
from fdd_edge.reporting.html_page import MARK, html_page
from fdd_edge.reporting.markdown_page import MARKDOWN_MARK, markdown_page
from fdd_edge.reporting.page_parts import Page
from fdd_edge.reporting.report_page import report_page
from fdd_edge.reporting.run_facts import RunFacts, read_run
from fdd_edge.result_base import Result
from fdd_edge.runs import RunLayout, write_atomic

__all__ = ["FORMATS", "ReportFormat", "ReportResult", "write_report"]

ReportFormat = Literal["html", "md"]
FORMATS: tuple[ReportFormat, ...] = get_args(ReportFormat)

_MOST_BYTES = 1_000_000
"""What mail takes, and a phone opens at once."""

_REPLIES: Mapping[ReportFormat, Sequence[int]] = {"html": (12, 6, 3, 1, 0), "md": (2, 1, 0)}
"""Of each verdict: a dozen, or as many as fit into that size; in Markdown, nothing is folded."""

_ROWS = (100, 25, 5)
"""Of each table, if a report is too large without any reply."""

_PAGES = (".html", ".htm", ".md")
"""How a report may be named in a run folder, which has no such files of its own."""

_HEAD = 1000
"""Bytes in which the mark of a report is."""


@dataclass(frozen=True)
class ReportResult(Result):
    """A report that was written.

    Attributes:
        path: The file.
        format: ``html`` or ``md``.
        bytes: Its size.
        runs: The runs that it is about.
    """

    path: Path
    format: ReportFormat
    bytes: int
    runs: Sequence[Path]

    def __fspath__(self) -> str:
        return str(self.path)

    def _shown(self) -> Iterable[tuple[str, object]]:
        return [("report", str(self.path)), ("bytes", self.bytes), ("runs", ", ".join(map(str, self.runs)))]


def write_report(
    runs: Sequence[Path], output: Path, *, format: ReportFormat | None = None, force: bool = False
) -> ReportResult:
    """Write a report on finished rounds of runs.

    Args:
        runs: The runs; the others are compared with the first.
        output: The file. A report that is there is replaced; anything else only if forced.
        format: What to write; None takes Markdown for a name that ends with ``.md``, HTML for any other.
        force: Whether to replace a file that is not a report.

    Raises:
        FddError: A run cannot be reported on, the report would be too large, or something is in the way.
    """
    written = format or ("md" if output.suffix.lower() == ".md" else "html")
    _check_output(output, force=force)
    if not runs:
        raise FddError("Name at least one run.")
    facts = [read_run(path) for path in runs]
    text = _fitting(facts, written)
    write_atomic(output, text)
    return ReportResult(output, written, len(text.encode()), list(runs))


def _fitting(runs: Sequence[RunFacts], form: ReportFormat) -> str:
    """Return a report as it is written, with as many replies and rows of tables as fit into the size.

    Raises:
        FddError: It is too large without them.
    """
    text = ""
    for text in _versions(runs, form):
        if len(text.encode()) < _MOST_BYTES:
            return text
    hints = ["report on fewer runs"] if len(runs) > 1 else []
    hints += ["write it as Markdown, which has no charts (--format md)"] if form == "html" else []
    raise FddError(
        f"Without replies, and with {_ROWS[-1]} rows of each table, the report still has "
        f"{len(text.encode()) / 1000:,.0f} kB, and {_MOST_BYTES / 1000:,.0f} kB is the most: "
        f"{', or '.join(hints) or 'the names and texts of this run are too long for a report'}."
    )


def _versions(runs: Sequence[RunFacts], form: ReportFormat) -> Iterator[str]:
    """Yield the report as it is written, shorter each time.

    Raises:
        FddError: A figure is not one that a run writes.
    """
    for most_replies in _REPLIES[form]:
        page = _page(runs, most_replies)
        yield _as_text(page, form)
    for most_rows in _ROWS:
        yield _as_text(page.shortened(most_rows), form)


def _as_text(page: Page, form: ReportFormat) -> str:
    return markdown_page(page) if form == "md" else html_page(page)


def _page(runs: Sequence[RunFacts], most_replies: int) -> Page:
    """Return a report.

    Raises:
        FddError: A figure has no size that could be drawn: somebody has changed it.
    """
    try:
        return report_page(runs, most_replies=most_replies)
    except ArithmeticError as error:
        names = ", ".join(str(run.layout.root) for run in runs)
        raise FddError(
            f"A figure in {names} is not one that a run writes ({error}); restore it from a backup."
        ) from None


def _check_output(path: Path, *, force: bool) -> None:
    """Refuse to replace what is not a report.

    Raises:
        FddError: The path is a folder, something that is not a file, a file of a run, or a file that is not a report
            and not forced; or its folder does not exist.
    """
    if str(path) == "-":
        raise FddError("A report is written to a file, not to standard output; name one, such as report.html.")
    if path.is_dir():
        raise FddError(f"{path} is a folder; name a file, such as {path / 'report.html'}.")
    if not path.parent.is_dir():
        raise FddError(f"The folder {path.parent} does not exist; create it, or choose another one.")
    if (run := _run_around(path)) is not None and not _is_free_in(run, path):
        raise FddError(f"{path} is a place for files of the run {run}; write the report outside of it.")
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_file():
        raise FddError(f"{path} is not a regular file; choose another name.")
    if not force and not _is_report(path):
        raise FddError(
            f"{path} exists and is not a report of fdd-edge; choose another name, or replace it with --force."
        )


def _run_around(path: Path) -> Path | None:
    """Return the run in whose folder a file is or would be; None if it is in none."""
    folder = path.parent.resolve()
    return next((one for one in (folder, *folder.parents) if _has_work(RunLayout(one))), None)


def _has_work(run: RunLayout) -> bool:
    """Return whether a folder is a run: a config or a manifest of something else may have the same name."""
    return run.is_run() and (run.manifest.is_file() or bool(run.rounds))


def _is_free_in(run: Path, path: Path) -> bool:
    """Return whether a report may be there: next to the folders of the run, and nothing else is lost."""
    if path.parent.resolve() != run or path.suffix.lower() not in _PAGES:
        return False
    return not path.is_file() or _is_report(path)


def _is_report(path: Path) -> bool:
    """Return whether a file is a report, or an empty file."""
    with path.open("rb") as file:
        head = file.read(_HEAD).decode("utf-8", errors="replace")
    return not head or f'content="{MARK}"' in head or head.startswith(MARKDOWN_MARK)
