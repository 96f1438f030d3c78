"""The further steps that make a problem harder: each takes the result before as known and asks for its own."""

from __future__ import annotations

from fdd_edge.teachers.symbolic._situation import Step
from fdd_edge.teachers.symbolic.steps import measures, money, things

__all__ = ["STEPS"]

STEPS: dict[str, Step] = {step.name: step for module in (things, money, measures) for step in module.STEPS}
