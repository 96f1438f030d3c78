"""``Columns``: rows whose question and answer are in columns that the user names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fdd_edge.arguments import problems_to_ask
from fdd_edge.data import Columns, read_dataset, read_list
from fdd_edge.errors import FddError
from fdd_edge.operations.user_problems import read_user_problems
from fdd_edge.resolve.dataset import DatasetOptions, check_set, columns_of, fetch_set, read_set

ROWS: list[dict[str, Any]] = [
    {"id": 7, "ask": "What is 2 + 3?", "result": "5 pens", "program": "answer = 2 + 3", "question": "unused"},
    {"ask": "And 4 * 3?", "result": "4 * 3 = 12, so the answer is 12.", "origin": "web", "level": 2},
    {"ask": "Half of 1?", "result": "\\boxed{\\frac{1}{2}}", "teacher": {"name": "x"}},
    {"ask": "Why?", "result": "There are 9 reasons."},
]


def write(path: Path) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def test_a_column_holds_a_number_or_a_solution_that_marks_it(tmp_path: Path) -> None:
    dataset = read_dataset(write(tmp_path / "set.jsonl"), columns=Columns("ask", "result"))
    first, second = dataset.problems
    assert (first.id, first.question, first.answer) == ("set-7", "What is 2 + 3?", 5)
    assert (first.program, first.source, first.extra) == ("answer = 2 + 3", "set", {})
    assert (second.id, second.answer, second.origin, second.extra) == ("set-2", 12, "seed", {"level": 2})
    assert dataset.skipped == [
        ("line 3", r"not numeric: '\\frac{1}{2}'"),
        ("line 4", "not numeric: 'There are 9 reasons.'"),
    ]


def test_rows_in_memory_have_named_columns_too() -> None:
    found = read_list(ROWS, columns=Columns("ask", "result"))
    assert [(problem.id, problem.answer) for problem in found.problems] == [("list-7", 5), ("list-2", 12)]


def test_evaluate_takes_columns_of_files_and_of_rows_in_memory(tmp_path: Path) -> None:
    path = str(write(tmp_path / "set.jsonl"))
    for data in (path, ROWS):
        asked = problems_to_ask(data, seed=0, limit=None, question_field="ask", answer_field="result")
        assert [problem.answer for problem in asked.problems] == [5, 12]
    with pytest.raises(FddError, match=r"^`format` does not apply to a list of problems: leave it out\.$"):
        problems_to_ask(ROWS, seed=0, limit=None, question_field="ask", format="gsm8k")


def test_training_problems_have_named_columns_also_in_records(tmp_path: Path) -> None:
    columns = columns_of("ask", "result")
    found = read_user_problems(write(tmp_path / "set.jsonl"), columns)
    assert [(problem.question, problem.program) for problem in found] == [
        ("What is 2 + 3?", "answer = 2 + 3"),
        ("And 4 * 3?", None),
    ]
    assert columns_of(None, None) is None
    assert columns_of("ask", None) == Columns("ask", "answer")


def test_a_missing_column_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(FddError) as caught:
        read_dataset(write(tmp_path / "set.jsonl"), columns=Columns("ask"))
    assert str(caught.value) == (
        f"{tmp_path}/set.jsonl:1 has no column 'answer'; its columns are 'id', 'ask', 'result', 'program', 'question': "
        "set answer_field to one of them."
    )


def test_a_config_names_columns(tmp_path: Path) -> None:
    path = str(write(tmp_path / "set.jsonl"))
    spec = DatasetOptions(path, question_field="ask", answer_field="result")
    check_set(spec)
    problems, skipped, _ = read_set(spec, fetch_set(spec).files, seed=0)
    assert [problem.answer for problem in problems] == [5, 12]
    assert [entry["item"] for entry in skipped] == ["line 3", "line 4"]
    assert spec.fingerprint() != DatasetOptions(path).fingerprint()
    unnamed = DatasetOptions(path).fingerprint()
    assert isinstance(unnamed, dict)
    assert "question_field" not in unnamed


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            DatasetOptions("symbolic:train", question_field="ask"),
            "`question_field` applies to files and hub ids only, and symbolic:train is neither; remove it.",
        ),
        (
            DatasetOptions("owner/set", answer_field="a", format="gsm8k"),
            "`answer_field` names a column in place of a format; remove it, or `format: gsm8k`.",
        ),
    ],
)
def test_where_columns_cannot_be_named(spec: DatasetOptions, message: str) -> None:
    with pytest.raises(FddError) as caught:
        check_set(spec)
    assert str(caught.value) == message
