"""Reports figures to experiment trackers, whose packages need torch."""

from __future__ import annotations

from collections.abc import Mapping

from fdd_edge.students.tracking import Tracking

__all__ = ["report"]


def report(tracking: Tracking, figures: Mapping[str, float], step: int) -> None:
    """Report figures about the student that a training made, under the last step of that training."""
    if tracking.trackers:
        from fdd_edge.students.trackers import report_figures

        report_figures(tracking, figures, step)
