"""Reading a bank: rows that are broken or wrong are counted, named and left out."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import pytest

from fdd_edge.errors import FddError
from fdd_edge.records import Problem
from fdd_edge.resolve.bank import check_bank, open_bank, read_bank
from fdd_edge.teachers import Rationale

HENS = {"id": "h1", "question": "4 hens lay 3 eggs each. How many?", "answer": 12, "program": "answer = 4 * 3"}
CODE = {
    "question": "5 ducks lay 2 eggs each. How many?",
    "answer": "10 eggs",
    "program": "def solution():\n    n = 5\n    return n * 2",
    "teacher": "big-model",
    "n_ops": 40,
}


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_programs_are_in_normal_form_and_their_operations_are_counted(tmp_path: Path) -> None:
    bank = read_bank(write(tmp_path / "b.jsonl", HENS, CODE), "mine")
    assert [(p.id, p.program, p.answer, p.n_ops, p.teacher) for p in bank.problems] == [
        ("mine-h1", "answer = 4 * 3", 12, 1, None),
        ("mine-2", "n = 5\nanswer = n * 2", 10, 1, "big-model"),
    ]


def test_other_data_sets_with_programs_are_banks_too(tmp_path: Path) -> None:
    path = write(tmp_path / "b.jsonl", {"question": HENS["question"], "code": CODE["program"]})
    assert [p.answer for p in read_bank(path, "mine").problems] == [10]


def test_rows_that_cannot_be_used_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(
        tmp_path / "b.jsonl",
        "",
        '{"question": "cut',
        HENS,
        "[1, 2]",
        {"question": "No answer?", "program": "answer = 1"},
        {**HENS, "id": "w", "answer": 13},
        {**HENS, "id": "w2", "answer": 14},
        {**HENS, "id": "x", "program": "answer = 1 / 0"},
        {**HENS, "id": "y", "program": "import os"},
        {**HENS, "id": "z", "program": None},
        HENS,
        CODE,
    )
    with caplog.at_level(logging.WARNING):
        bank = read_bank(path, "mine")
    assert [p.id for p in bank.problems] == ["mine-h1", "mine-12"]
    (record,) = caplog.records
    assert record.getMessage().startswith(
        f"{path}: 9 of 11 rows of the bank are left out (4 unreadable, 2 wrong_answer, 1 does_not_run, "
        "1 does_not_parse, 1 no_rationale). The first of each: line 2 (is not valid JSON: "
    )
    assert "mine-w (gives 12, not 13)" in record.getMessage()
    assert "mine-z (it has no program)" in record.getMessage()


@pytest.mark.parametrize(
    "broken", ["null", "[]", '"x"', "[1, 2]", "5", "# a comment", "<html>", '{"question": "cut', "[]\nnull"]
)
def test_a_broken_row_is_left_out_wherever_it_stands(
    tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As the first one it made the file one "not in a known data format", or one with "Extra data"."""
    for rows in ([broken, HENS, CODE], [HENS, broken, CODE]):
        with caplog.at_level(logging.WARNING):
            assert len(read_bank(write(tmp_path / "b.jsonl", *rows), "mine").problems) == 2
        n = broken.count("\n") + 1
        assert f"{n} of {n + 2} rows of the bank" in caplog.records[-1].getMessage()


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("rows", [[HENS], [HENS, CODE]], ids=["one", "two"])
def test_a_json_array_is_a_bank_however_it_is_printed(tmp_path: Path, indent: int | None, rows: list[object]) -> None:
    path = write(tmp_path / "b.json", json.dumps(rows, indent=indent) + "\n")
    assert len(read_bank(path, "mine").problems) == len(rows)


def test_a_bank_with_nothing_left_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "b.jsonl", {**HENS, "answer": 13}, "{", {"text": "x"})
    with pytest.raises(FddError) as error:
        read_bank(path, "mine")
    assert str(error.value).startswith(
        f"The bank {path} has no problem with a program that gives its answer (2 unreadable, 1 wrong_answer); each row "
        "needs a `question`, an `answer` and a `program`. The first of each: line 2 (is not valid JSON: "
    )
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist."),
        (b"", "has no problems."),
        (b"\xff\xfe{}", "is not UTF-8 text"),
        (b"no data at all", "is not in a known data format"),
    ],
)
def test_a_file_that_is_no_bank_is_one_sentence(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "b.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FddError, match=said):
        read_bank(path, "mine")
    with pytest.raises(FddError, match="is a folder"):
        read_bank(tmp_path, "mine")


def test_a_bank_is_read_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "b.jsonl", HENS)
    first = read_bank(path, "mine")
    assert read_bank(path, "mine") is first
    write(path, HENS, CODE)
    assert len(read_bank(path, "mine").problems) == 2


def test_a_bank_is_not_read_before_its_teacher_is_asked(tmp_path: Path) -> None:
    """Its programs take a while to check, and a finished run asks for nothing."""
    with pytest.raises(FddError, match="does not exist"):
        open_bank(tmp_path / "b.jsonl", "mine")
    teacher = open_bank(write(tmp_path / "b.jsonl", "{"), "mine")
    assert teacher.name == "mine (bank)"
    write(tmp_path / "b.jsonl", HENS)
    problem = Problem("p", str(HENS["question"]), 12, "s")
    (solution,) = asyncio.run(teacher.rationale([problem]))
    assert isinstance(solution, Rationale)
    assert (solution.program, solution.notes["bank"]) == ("answer = 4 * 3", "mine")


def test_a_bank_without_a_right_program_is_found_before_a_run_trains(tmp_path: Path) -> None:
    """It was only read when its teacher was asked, which is after the training of the first round."""
    path = write(tmp_path / "b.jsonl", {**HENS, "answer": 13}, {**CODE, "program": "import os"})
    with pytest.raises(FddError, match="has no problem with a program that gives its answer") as caught:
        check_bank(path, "mine")
    assert "1 wrong_answer" in str(caught.value) and "gives 12, not 13" in str(caught.value)
    with pytest.raises(FddError, match="does not exist"):
        check_bank(tmp_path / "nowhere.jsonl", "mine")


def test_checking_a_bank_runs_no_more_programs_than_it_must(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A finished run checks its teachers too, and is not to wait for thousands of programs."""
    caplog.set_level(logging.INFO, logger="fdd_edge")
    check_bank(write(tmp_path / "b.jsonl", HENS, {**CODE, "answer": 3}, "{"), "mine")
    assert caplog.messages == []
