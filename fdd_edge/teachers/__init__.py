"""Teachers pair problems with programs, and write new problems for the feedback."""

from __future__ import annotations

from importlib import import_module

from fdd_edge.errors import FddError, did_you_mean
from fdd_edge.teachers._interface import Declined, Draft, Teacher

__all__ = ["TEACHERS", "Declined", "Draft", "Teacher", "load_teacher", "load_writer"]

# Named by string and loaded on use, so that asking for one teacher never imports another.
TEACHERS = {
    "annotated": "fdd_edge.teachers.annotated:AnnotatedTeacher",
    "symbolic": "fdd_edge.teachers.symbolic:SymbolicTeacher",
}


def load_teacher(name: str) -> Teacher:
    """Return the teacher of that name.

    Raises:
        FddError: There is none; says which there are and which one is near.
    """
    if name not in TEACHERS:
        raise FddError(
            f"There is no teacher named {name!r}.{did_you_mean(name, TEACHERS)} Known: {', '.join(sorted(TEACHERS))}."
        )
    module, _, attribute = TEACHERS[name].partition(":")
    teacher: Teacher = getattr(import_module(module), attribute)()
    return teacher


def load_writer(name: str) -> Teacher:
    """Return the teacher of that name, who writes new problems.

    Raises:
        FddError: There is none, or it writes none; says which do.
    """
    teacher = load_teacher(name)
    if not teacher.writes_problems:
        writers = ", ".join(known for known in sorted(TEACHERS) if load_teacher(known).writes_problems)
        raise FddError(f"The teacher {name!r} writes rationales and no new problems; these do: {writers}.")
    return teacher
