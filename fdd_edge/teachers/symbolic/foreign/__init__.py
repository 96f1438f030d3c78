"""New problems from problems of other sources that have a program: with new numbers, or with one more step."""

from __future__ import annotations

from fdd_edge.teachers.symbolic.foreign._further import ask_further
from fdd_edge.teachers.symbolic.foreign._given import as_given
from fdd_edge.teachers.symbolic.foreign._renumber import renumber

__all__ = ["as_given", "ask_further", "renumber"]
