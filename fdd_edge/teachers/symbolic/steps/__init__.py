"""The further steps that make a problem harder: each takes the previous result as given and asks for a new one."""

from __future__ import annotations

from fdd_edge.teachers.symbolic._shelf import read_steps
from fdd_edge.teachers.symbolic.steps._kinds import LENGTHS, MEASURES, PEOPLE, TIMES, amount_forms, kinds_of

__all__ = ["LENGTHS", "MEASURES", "PEOPLE", "STEPS", "TIMES", "amount_forms", "kinds_of"]

STEPS = read_steps()
