"""What a problem record may hold, and what is said of one that holds something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fdd_edge.errors import FddError
from fdd_edge.records import read_problems

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
        ({"depth": "2"}, "depth must be a whole number from 0 on"),
        ({"depth": None}, "depth must be a whole number from 0 on"),
        ({"n_ops": 1.5}, "n_ops must be a whole number from 0 on"),
        ({"round": -1}, "round must be a whole number from 0 on"),
        ({"origin": "banana"}, "origin must be one of seed, complex, similar"),
    ],
)
def test_a_field_of_another_type_is_named(tmp_path: Path, fields: dict[str, object], fault: str) -> None:
    """A split whose depth was a text ended in a traceback when its problems were to evolve."""
    path = write(tmp_path / "p.jsonl", **fields)
    with pytest.raises(FddError, match=f"p.jsonl:1: {fault}"):
        read_problems(path)
