"""What a problem record may hold, and the message for one that holds something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fdd_edge.errors import FddError
from fdd_edge.records import PROBLEM_FIELDS, Problem, ProblemSet, read_problems, write_jsonl

ROW = {"id": "a", "question": "What is 2 + 3?", "answer": 5, "source": "test", "origin": "complex"}


def write(path: Path, **fields: object) -> Path:
    path.write_text(json.dumps(ROW | fields) + "\n", encoding="utf-8")
    return path


def test_what_is_null_or_unknown_is_kept(tmp_path: Path) -> None:
    (problem,) = read_problems(write(tmp_path / "p.jsonl", program=None, n_ops=None, depth=2, mine=[1]))
    assert (problem.program, problem.depth, problem.extra) == (None, 2, {"mine": [1]})


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"answer": True}, "answer must be a number"),
        ({"id": 7}, "id must be a string"),
        ({"program": ["answer = 5"]}, "program must be a string"),
        ({"depth": "2"}, "depth must be a non-negative integer"),
        ({"depth": None}, "depth must be a non-negative integer"),
        ({"n_ops": 1.5}, "n_ops must be a non-negative integer"),
        ({"round": -1}, "round must be a non-negative integer"),
        ({"origin": "banana"}, "origin must be one of seed, complex, similar"),
        ({"repeat": 0}, "repeat must be a whole number from 1 to 100"),
        ({"repeat": 101}, "repeat must be a whole number from 1 to 100"),
        ({"repeat": True}, "repeat must be a whole number from 1 to 100"),
        ({"repeat": "2"}, "repeat must be a whole number from 1 to 100"),
        ({"pass_rate": "0.5"}, "pass_rate must be a number"),
        ({"pass_rate": True}, "pass_rate must be a number"),
        ({"renumbered": 1}, "renumbered must be true or false"),
        ({"reason": 3}, "reason must be a string"),
        ({"against": ["p"]}, "against must be a string"),
        ({"detail": 9}, "detail must be a string"),
        ({"solution": 5}, "solution must be a string"),
        ({"teacher_notes": "x"}, "teacher_notes must be an object"),
        ({"declined": ["x"]}, "declined must be an object"),
    ],
)
def test_a_field_of_another_type_is_named(tmp_path: Path, fields: dict[str, object], fault: str) -> None:
    """A split whose depth was a text ended in a traceback when its problems were to evolve."""
    path = write(tmp_path / "p.jsonl", **fields)
    with pytest.raises(FddError, match=f"p.jsonl:1: {fault}"):
        read_problems(path)


FULL = Problem(
    "a.r0s0",
    "What is 2 + 3?",
    5,
    "test",
    program="answer = 2 + 3",
    written="a = 2\nanswer = a + 3",
    origin="similar",
    parent_id="a",
    depth=1,
    round=1,
    n_ops=1,
    teacher="symbolic",
    solution="2 + 3 = <<2+3=5>>5",
    teacher_notes={"situation": "total", "steps": [1]},
    renumbered=True,
    repeat=2,
    pass_rate=0.25,
    reason="leaks",
    against="valid:v",
    detail="gives 6, not 5",
    declined={"annotated": "no_notes"},
    extra={"mine": [1]},
)


def test_every_field_is_written_and_read_back(tmp_path: Path) -> None:
    assert all(getattr(FULL, name) not in (None, {}, False) for name in PROBLEM_FIELDS)
    write_jsonl(tmp_path / "p.jsonl", [FULL.to_row()])
    assert read_problems(tmp_path / "p.jsonl") == [FULL]


def test_extra_holds_only_fields_that_this_version_does_not_know() -> None:
    row = FULL.to_row()
    assert Problem.from_row(row).extra == {"mine": [1]}
    assert set(row) == {*PROBLEM_FIELDS, "mine"}


def test_a_field_that_holds_its_default_is_not_written() -> None:
    """Files of earlier rounds, in which a field did not exist, stay the same bytes."""
    assert list(Problem("a", "What is 2 + 3?", 5, "test").to_row()) == [
        "id",
        "question",
        "answer",
        "source",
        "origin",
        "depth",
        "round",
    ]


def test_a_set_of_problems_is_known_by_its_records_in_their_order() -> None:
    other = Problem("b", "What is 2 + 4?", 6, "test")
    first, second = ProblemSet([FULL, other]), ProblemSet([other, FULL])
    assert first.fingerprint() == ProblemSet(list(first)).fingerprint() != second.fingerprint()
    assert ProblemSet([Problem.from_row(FULL.to_row()), other]).fingerprint() == first.fingerprint()
