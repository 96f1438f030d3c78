"""Other right programs for problems that are trained on already: those that the student itself has written."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from fdd_edge.curation._admission import Curated, ProgramStyle, check_program, reject
from fdd_edge.curation._offspring_checks import check_numbers
from fdd_edge.curation._reasons import Reason, RejectedError
from fdd_edge.ondevice.language import ProgramError, terse
from fdd_edge.records import Problem

__all__ = ["check_solutions"]


def check_solutions(
    candidates: Sequence[Problem], *, known: Sequence[Problem], most: int, style: ProgramStyle
) -> Curated:
    """Split other programs for known problems into those that may be trained on and those that may not.

    As for new problems, a program must run, give the answer, and use the numbers of its question, so that it is right
    not just by luck. It must also differ from those that the problem has: in more than the names of its results, once
    both are in their terse form.

    Args:
        candidates: The problems with their other programs; ``parent_id`` names the known one.
        known: The problems that are trained on, with their programs.
        most: Keep at most this many for each known problem.
        style: How programs are trained on.
    """
    shapes: dict[str, dict[str, str]] = defaultdict(dict)
    originals = {problem.id: problem for problem in known}
    for problem in known:
        of = str(problem.parent_id) if problem.origin == "own" else problem.id
        shapes[of].setdefault(_shape(problem), problem.id)
    counts: Counter[str] = Counter()
    kept: list[Problem] = []
    rejected: list[Problem] = []
    for problem in candidates:
        parent = str(problem.parent_id)
        try:
            problem = check_program(problem, style)
            check_numbers(problem, originals[parent])
            if against := shapes[parent].get(_shape(problem)):
                raise RejectedError(Reason.DUPLICATE, against=against)
            shapes[parent][_shape(problem)] = problem.id
            if counts[parent] == most:
                raise RejectedError(Reason.OVER_OWN_SOLUTIONS)
        except RejectedError as error:
            rejected.append(reject(problem, error.reason, against=error.against, detail=error.detail))
            continue
        counts[parent] += 1
        kept.append(replace(problem, repeat=1, pass_rate=None))
    return Curated(kept, rejected)


def _shape(problem: Problem) -> str:
    """Return a program in its terse form, with its names numbered in the order in which they occur."""
    try:
        tree = ast.parse(terse(problem.program or ""))
    except ProgramError:
        return problem.program or ""
    names: dict[str, str] = {}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and id(node) not in called:
            node.id = names.setdefault(node.id, f"_{len(names)}")
    return ast.unparse(tree)
