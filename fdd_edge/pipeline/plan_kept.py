"""The plan that a run keeps in its folder, and what the run really took, to be set beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from fdd_edge.config import Config
from fdd_edge.errors import FddError
from fdd_edge.ondevice.device_info import peak_rss_bytes
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.operations.evaluation_timing import read_timing
from fdd_edge.pipeline.ledger_report import report_calls
from fdd_edge.pipeline.run_plan import RunPlan, plan_config
from fdd_edge.planning import Compared, Figure, compare
from fdd_edge.progress import announce
from fdd_edge.records import read_problems
from fdd_edge.runs import Manifest, RunLayout, write_atomic
from fdd_edge.runs.stage_files import EvaluationFiles
from fdd_edge.teachers.ledger import default_ledger

__all__ = ["compared_plan", "keep_plan", "kept_plan", "note_peaks"]

_PEAKS = ("space.disk", "space.memory")


def keep_plan(config: Config, layout: RunLayout, *, parity: bool) -> None:
    """Plan a run that begins, and keep the plan in its folder; what cannot be planned is said, and stops nothing."""
    if layout.plan.exists():
        return
    try:
        _write(layout, plan_config(config, parity=parity), {})
    except Exception as error:  # a plan must not stop a run that would have worked
        announce(f"what this run will take could not be planned: {error}")


def note_peaks(layout: RunLayout) -> None:
    """Keep the most disk and memory that a run has taken, beside its plan; a run without one keeps nothing."""
    kept = _read(layout)
    if kept is None:
        return
    plan, peaks = kept
    now = {"space.disk": float(_size_of(layout.root)), "space.memory": float(peak_rss_bytes())}
    with suppress(OSError, FddError):  # what is only shown at the end stops no run
        _write(
            layout,
            plan,
            {name: max(value, peaks.get(name, 0.0)) for name, value in now.items()},
        )


def kept_plan(layout: RunLayout) -> RunPlan | None:
    """Return the plan that a run keeps; None if it has none, or a damaged one."""
    kept = _read(layout)
    return None if kept is None else replace(kept[0], name=str(layout.root))


def compared_plan(layout: RunLayout) -> list[Compared]:
    """Return a run's plan beside what it really took; empty without a plan.

    Raises:
        FddError: The manifest is damaged.
    """
    kept = _read(layout)
    return [] if kept is None else compare(kept[0].figures, _real_figures(layout) | _peaks(layout, kept[1]))


def _peaks(layout: RunLayout, noted: Mapping[str, float]) -> dict[str, float]:
    """Return the peaks that were noted; runners are processes of their own, and say their memory themselves."""
    runners = [0.0]
    for part in (layout.untuned, *layout.rounds):
        for folder in part.evaluations.glob("*/*/*"):
            path = EvaluationFiles(folder).timing
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                timing = read_timing(path)
                if timing.target["transport"] == "local":
                    runners.append(float(timing.peak_rss_bytes))
    found = dict(noted)
    if "space.memory" in found:
        found["space.memory"] = max(found["space.memory"], *runners)
    return found


def _real_figures(layout: RunLayout) -> dict[str, float]:
    """Return what a run took so far, by the names of a plan's figures."""
    stages = Manifest(layout.manifest).stages
    seconds = layout.seconds_by_kind({name: entry.seconds for name, entry in stages.items()})
    found = {f"time.{kind}": value for kind, value in seconds.items()} | {"time.all": sum(seconds.values())}
    trained = [len(read_problems(part.train)) for part in layout.rounds if part.train.is_file()]
    if trained:
        found |= {"problems.first round": float(trained[0]), "problems.last round": float(trained[-1])}
    counts = [_lines(path) for part in (layout.untuned, *layout.rounds) for path in _answers(part.evaluations)]
    if counts:
        found["problems.answered"] = float(sum(counts))
    report = report_calls(layout, default_ledger(), points=None)
    found |= {"teacher.calls": float(report.calls)}
    found["teacher.tokens"] = float(sum(group.input_tokens + group.output_tokens for group in report))
    if report.cost is not None:
        found["teacher.cost"] = report.cost
    for group in report:
        name = f"teacher.calls: {group.teacher}, {group.purpose}"
        found[name] = found.get(name, 0.0) + group.calls
    for part in layout.rounds:
        for folder in sorted(part.artifacts.glob("*")):
            if folder.is_dir() and not folder.name.startswith("."):
                found[f"files.{folder.name}"] = float(_size_of(folder))
    return found


def _answers(evaluations: Path) -> list[Path]:
    folders = sorted(evaluations.glob("*/*/*"))
    return [EvaluationFiles(folder).rows for folder in folders if EvaluationFiles(folder).rows.is_file()]


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _size_of(folder: Path) -> int:
    """Return the bytes of the files in a folder; links are not followed, and files may vanish meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file() and not path.is_symlink():
                total += path.stat().st_size
    return total


def _write(layout: RunLayout, plan: RunPlan, peaks: Mapping[str, float]) -> None:
    content = {
        "figures": [asdict(figure) for figure in plan.figures],
        "parts": [dict(part) for part in plan.parts],
        "is_partial": plan.is_partial,
        "peaks": dict(peaks),
    }
    write_atomic(layout.plan, json.dumps(content, indent=1, allow_nan=False) + "\n")


def _read(layout: RunLayout) -> tuple[RunPlan, dict[str, float]] | None:
    """Return the plan and the peaks of a run; None without a plan, or with a damaged one."""
    try:
        content = parse_json(layout.plan.read_text(encoding="utf-8"))
        figures = [Figure.from_row(row) for row in content["figures"]]
        # The plan of an earlier version has no parts.
        parts = [{str(kind): float(value) for kind, value in part.items()} for part in content.get("parts", [])]
        peaks = {name: float(content["peaks"].get(name, 0.0)) for name in _PEAKS if name in content["peaks"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return RunPlan("", figures, parts=parts, is_partial=content.get("is_partial") is True), peaks
