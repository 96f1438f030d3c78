"""The situations of the symbolic teacher, one YAML file per subject; those of ``held_out.yaml`` are for evaluation."""

from __future__ import annotations

from fdd_edge.teachers.symbolic._shelf import read_situations

__all__ = ["SITUATIONS"]

SITUATIONS = read_situations()
