"""Teachers write programs for problems, and new problems from those that a student solved or failed.

A teacher is a built-in name of ``TEACHERS``, or ``module:Class`` from any other package (docs/plugins.md).
"""

from __future__ import annotations

import inspect
from typing import NamedTuple

from fdd_edge.errors import FddError, did_you_mean
from fdd_edge.plugins import PLUGIN_PAGE, is_plugin_name, load_plugin
from fdd_edge.teachers._interface import Declined, Draft, Rationale, Stocked, Teacher

__all__ = [
    "TEACHERS",
    "BuiltInTeacher",
    "Declined",
    "Draft",
    "Rationale",
    "Stocked",
    "Teacher",
    "load_teacher",
    "load_writer",
]


class BuiltInTeacher(NamedTuple):
    """A teacher of this package.

    Attributes:
        path: ``module:Class``; imported on use, so that loading one teacher never imports another.
        description: One line for ``fdd-edge ls``.
    """

    path: str
    description: str


TEACHERS = {
    "annotated": BuiltInTeacher(
        "fdd_edge.teachers.annotated:AnnotatedTeacher",
        "programs from the worked solutions of GSM8K; writes no new problems",
    ),
    "symbolic": BuiltInTeacher(
        "fdd_edge.teachers.symbolic:SymbolicTeacher",
        "programs and new problems from templates; needs no language model and no network",
    ),
}

_ATTRIBUTES = ("name", "writes_problems")
_METHODS = ("rationale", "complexify", "similar")


def load_teacher(name: str) -> Teacher:
    """Return a teacher.

    Args:
        name: A name of ``TEACHERS``, or ``module:Class``, such as ``mypackage.teachers:MyTeacher``.

    Raises:
        FddError: There is no such teacher, or the object named is not one; the message says what is missing.
    """
    if is_plugin_name(name):
        teacher = load_plugin(name, "teacher")
        _check_is_teacher(teacher, name)
    elif name in TEACHERS:
        teacher = load_plugin(TEACHERS[name].path, "teacher")
    else:
        raise FddError(
            f"There is no teacher named {name!r}.{did_you_mean(name, TEACHERS)} Known: {', '.join(sorted(TEACHERS))}. "
            f"For a teacher of your own write module:Class ({PLUGIN_PAGE})."
        )
    loaded: Teacher = teacher
    return loaded


def load_writer(name: str) -> Teacher:
    """Return a teacher that writes new problems; ``name`` is as for ``load_teacher``.

    Raises:
        FddError: There is no such teacher, or it writes no problems; the message names the built-in ones that do.
    """
    teacher = load_teacher(name)
    if not teacher.writes_problems:
        writers = ", ".join(known for known in sorted(TEACHERS) if load_teacher(known).writes_problems)
        raise FddError(f"The teacher {name!r} writes programs but no new problems; these do: {writers}.")
    return teacher


def _check_is_teacher(candidate: object, name: str) -> None:
    """Refuse an object that lacks a part of ``Teacher``, or has a method that is not asynchronous."""
    needed = (
        f"A teacher has {' and '.join(_ATTRIBUTES)}, and the async methods {', '.join(_METHODS[:-1])} and "
        f"{_METHODS[-1]}; see {PLUGIN_PAGE}."
    )
    missing = [part for part in _ATTRIBUTES if not hasattr(candidate, part)]
    missing += [part for part in _METHODS if not callable(getattr(candidate, part, None))]
    if missing:
        raise FddError(f"{name!r} is not a teacher: it has no {', '.join(missing)}. {needed}")
    not_async = [part for part in _METHODS if not inspect.iscoroutinefunction(getattr(candidate, part))]
    if not_async:
        raise FddError(f"{name!r} is not a teacher: {', '.join(not_async)} must be declared with async def. {needed}")
