"""What a run notes on its problems counts in the run's own files, and means nothing in a stranger's rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fdd_edge.curation import curate
from fdd_edge.data import Columns, read_dataset, read_list
from fdd_edge.operations.training_data import examples_to_train_on
from fdd_edge.operations.user_problems import read_user_problems
from fdd_edge.records import PROBLEM_FIELDS, RUN_MARKS, Problem, read_problems, write_jsonl

ROW: dict[str, Any] = {
    "id": "a",
    "question": "Tom has 3 apples and gets 4. How many apples has he?",
    "answer": 7,
    "program": "answer = 3 + 4",
}
MARKS: dict[str, Any] = {
    "written": "apples = 3\nanswer = apples + 4",
    "repeat": 100,
    "pass_rate": 1.0,
    "renumbered": True,
    "reason": "leaks",
    "against": "x",
    "detail": "y",
    "declined": {"z": "w"},
}
OLD_MARKS = {"fdd_edge.repeat": 1_000_000_000, "fdd_edge_pass_rate": 0.5, "fdd_edge": {"repeat": 9}}
RECORD = {"source": "me", "origin": "seed"}


def write(path: Path, row: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return path


def marks_of(problem: Problem) -> dict[str, Any]:
    return {name: value for name, value in problem.to_row().items() if name in RUN_MARKS or "fdd_edge" in name}


def test_every_mark_of_a_run_is_tested_here() -> None:
    assert MARKS.keys() == RUN_MARKS
    assert set(PROBLEM_FIELDS) > RUN_MARKS


@pytest.mark.parametrize("marks", [MARKS, OLD_MARKS], ids=["fields", "earlier names"])
def test_a_data_set_has_no_say_in_what_a_run_notes(marks: dict[str, Any], tmp_path: Path) -> None:
    """A row of a stranger's file multiplied itself in training, a thousand times, and nobody was told."""
    path = write(tmp_path / "d.jsonl", ROW | marks)
    (of_file,) = read_dataset(path).problems
    (of_list,) = read_list([ROW | marks]).problems
    (of_columns,) = read_dataset(path, columns=Columns()).problems
    (of_other_format,) = read_dataset(
        write(tmp_path / "e.jsonl", {"query": "1 + 1?", "response": "The answer is: 2"} | marks)
    ).problems
    for problem in (of_file, of_list, of_columns, of_other_format):
        assert marks_of(problem) == {}
        write_jsonl(tmp_path / "seed.jsonl", [problem.to_row()])
        assert read_problems(tmp_path / "seed.jsonl")[0].repeat == 1


def test_a_strangers_record_has_no_say_either(tmp_path: Path) -> None:
    """A row that also has a source and an origin is read as a record, with all that a record may say."""
    path = write(tmp_path / "d.jsonl", ROW | RECORD | MARKS | {"round": 3})
    (problem,) = read_user_problems(path)
    assert marks_of(problem) == {}
    assert problem.round == 3
    (huge,) = read_user_problems(write(tmp_path / "e.jsonl", ROW | RECORD | {"repeat": 10**9}))
    assert huge.repeat == 1


def test_the_records_of_a_run_are_read_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("config.yaml", "manifest.json"):
        write(tmp_path / "run" / name, {})
    path = write(tmp_path / "run" / "round-00" / "data" / "train.jsonl", ROW | RECORD | {"repeat": 2, "pass_rate": 0.5})
    (problem,) = read_user_problems(path)
    assert (problem.repeat, problem.pass_rate) == (2, 0.5)
    assert examples_to_train_on([problem], "train", style="terse").kept[0].repeat == 2
    assert "train: 1 of 1 problems are trained on several times" in capsys.readouterr().err


@pytest.mark.parametrize("notes", [5, "x", ["x"], [None], {"a": 1}, [10**400], [True]])
def test_notes_that_no_teacher_wrote_break_nothing(notes: object) -> None:
    """A seed problem that called itself similar, with notes of its own, ended the run with a traceback."""
    rows = [ROW | {"origin": "similar", "parent_id": "p", "teacher_notes": {"distractors": notes}}]
    assert len(curate(read_list(rows).problems, protected={}).kept) == 1
