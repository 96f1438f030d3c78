"""The further steps that make a problem harder: each takes the result before as known and asks for its own."""

from __future__ import annotations

from fdd_edge.teachers.symbolic._shelf import read_steps

__all__ = ["STEPS"]

STEPS = read_steps()
