"""The symbolic teacher: writes problems from situations, which are data; its answers are correct by construction."""

from __future__ import annotations

from fdd_edge.teachers.symbolic._generate import Split, generate
from fdd_edge.teachers.symbolic.situations import SITUATIONS
from fdd_edge.teachers.symbolic.teacher import SymbolicTeacher

__all__ = ["SITUATIONS", "Split", "SymbolicTeacher", "generate"]
