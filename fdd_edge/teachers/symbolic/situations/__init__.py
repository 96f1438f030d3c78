"""The situations of the symbolic teacher, divided once into those for training and those held out."""

from __future__ import annotations

from fdd_edge.teachers.symbolic._situation import Situation
from fdd_edge.teachers.symbolic.situations import counting, held_out, money, parts, rates

__all__ = ["SITUATIONS"]

SITUATIONS: dict[str, Situation] = {
    situation.name: situation for module in (counting, money, rates, parts, held_out) for situation in module.SITUATIONS
}
