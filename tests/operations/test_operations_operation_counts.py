"""Operations that problems need, and those that answers use."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdd_edge.ondevice.messages import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.operation_counts import (
    OperationFigures,
    count_answers,
    count_trained,
    operations_group,
)
from fdd_edge.records import Problem, write_jsonl


def problem(name: str, **more: object) -> Problem:
    return Problem(name, f"Question {name}?", 5, "test", **more)  # type: ignore[arg-type]


def answer(name: str, program: str | None, *, right: bool = False, sample: int = 0) -> Completion:
    verdict = Verdict.correct if right else Verdict.wrong if program else Verdict.no_program
    return Completion(name, sample, "", program, None, verdict, 1, 1, "00")


def test_groups() -> None:
    assert [operations_group(n) for n in (0, 1, 2, 3, 40)] == ["1", "1", "2", "3+", "3+"]
    assert count_trained([problem("a", n_ops=4), problem("b", n_ops=1), problem("c")]) == {"1": 2, "3+": 1}


@pytest.mark.parametrize(
    ("equation", "group"),
    [("2+3=5", "1"), ("(2+3)*4=20", "2"), ("X = ((5.0*6.0)-4.0)/2", "3+"), ("x=-7+2", "1"), ("20 - 5 = 3 + 12", "1")],
)
def test_an_equation_says_how_many_are_needed(equation: str, group: str, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", [answer("a", "answer = 2 + 3").to_row()])
    found = count_answers("set", [problem("a", extra={"equation": equation})], tmp_path)
    assert found is not None
    assert found.problems == {group: 1}


def test_operations_needed_against_operations_used(tmp_path: Path) -> None:
    problems = [
        problem("a", n_ops=1),
        problem("b", n_ops=4),
        problem("c", n_ops=4),
        problem("d"),
        problem("e", n_ops=1),
    ]
    rows = [
        answer("a", "answer = 2 + 3", right=True),
        answer("a", "answer = 2 + 3 + 4 + 5", sample=1),
        answer("b", "answer = 2 * 3 - 1", right=True),
        answer("c", "answer = 1 + 1 + 1 + 1 + 1", right=True),
        answer("d", "answer = 5 + 0"),
        answer("e", None),
    ]
    write_jsonl(tmp_path / "rows.jsonl", (row.to_row() for row in rows))
    found = count_answers("set", problems, tmp_path)
    assert found is not None
    assert found.problems == {"1": 2, "3+": 2}
    assert found.used == {"1": {"1": 1, "3+": 1}, "3+": {"2": 1, "3+": 1}}
    assert found.correct == {"1": {"1": 1, "3+": 0}, "3+": {"2": 1, "3+": 1}}
    assert (found.answered, found.more, found.fewer) == (4, 1, 1)


def test_a_set_whose_operations_are_unknown_has_no_figures(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", [answer("a", "answer = 2 + 3").to_row()])
    assert count_answers("set", [problem("a", extra={"equation": ""})], tmp_path) is None


def test_figures_are_json() -> None:
    assert OperationFigures({"1": 2}, None).to_row() == {"problems": {"1": 2}, "tokens": None, "answered": []}
