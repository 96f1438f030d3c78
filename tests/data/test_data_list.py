"""``read_list``: problems from rows in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fdd_edge.data import read_dataset, read_list
from fdd_edge.errors import FddError
from fdd_edge.records import write_jsonl

ROWS: list[dict[str, Any]] = [
    {"question": "What is 2 + 3?", "answer": "5 pens", "program": "answer = 2 + 3", "grade": (1, 2)},
    {"question": "How many?", "answer": "a few"},
    {"id": "own", "question": "What is 1 / 2?", "answer": 0.5},
]


def test_it_reads_what_a_file_of_the_same_rows_gives(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "list.jsonl", ROWS)
    found, filed = read_list(ROWS), read_dataset(tmp_path / "list.jsonl")
    assert found.problems == filed.problems
    assert [problem.id for problem in found.problems] == ["list-1", "list-own"]
    assert found.problems[0].extra == {"grade": [1, 2]}
    assert found.skipped == [("problem 2", "not numeric: 'a few'")]


def test_a_limit_takes_the_first_problems() -> None:
    assert [problem.answer for problem in read_list(ROWS, limit=2).problems] == [5, 0.5]
    assert len(read_list(iter(ROWS), limit=1).problems) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], r"^The list of problems is empty\.$"),
        (["2 + 3?"], r"^Each problem must be a dict with question and answer, not '2 \+ 3\?'\.$"),
        ([*ROWS, {"question": "?"}], r"^problem 4 lacks the field 'answer' \(format jsonl\)\.$"),
        ([ROWS[2], ROWS[2]], r"^problem 2 has the same id as an earlier row: 'own'\.$"),
        ([{"question": "?", "answer": 1j}], r"^problem 1 cannot be written as JSON: .*complex"),
        ([{"question": "\ud800?", "answer": 1}], r"^problem 1 contains half a surrogate pair"),
        ([{"question": "?", "answer": float("nan")}], r"^The list has no problem with a numeric answer \(1 skipped"),
    ],
)
def test_what_is_wrong_names_the_row(rows: list[Any], message: str) -> None:
    with pytest.raises(FddError, match=message):
        read_list(rows)
