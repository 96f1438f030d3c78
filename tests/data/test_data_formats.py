"""Every format, recognised or named, becomes the same kind of problem."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fdd_edge.data import FORMATS, Dataset, read_dataset
from fdd_edge.records import write_jsonl

Row = dict[str, Any]

GSM8K = [
    {"question": "Ada packs 3 bags of 400 nails. How many nails?", "answer": "3*400 = <<3*400=1200>>1200\n#### 1,200"},
    {"question": "Bo eats 2 of 9 figs. How many are left?", "answer": "9-2 = <<9-2=7>>7\n#### 7"},
]
SVAMP = [
    {
        "ID": "chal-4",
        "Body": "Cy has 5 kites and  buys 2 ",
        "Question": "How many kites does Cy have?",
        "Equation": "( 5.0 + 2.0 )",
        "Answer": 7.0,
        "Type": "Addition",
    },
]
MULTIARITH = [
    {
        "iIndex": 4,
        "sQuestion": " Di had 6 pens.  She lost 2. How many now? ",
        "lEquations": ["X=6-2"],
        "lSolutions": [4.0],
    },
    {"iIndex": 4, "sQuestion": "Ed ran 2.5 miles twice. How far?", "lEquations": ["X=2.5*2"], "lSolutions": ["5"]},
    {"iIndex": 9, "sQuestion": "Flo is 3, Gus is 8. How old are they?", "lEquations": [], "lSolutions": [3.0, 8.0]},
]
ASDIV = """<?xml version='1.0' encoding='utf-8'?>
<Machine-Reading-Corpus-File><ProblemSet>
  <Problem ID="own-1" Grade="2" Source="us">
    <Body>Hal baked 4 pies &amp; sold 1,</Body>
    <Question>how many pies   remain?</Question>
    <Solution-Type>Subtraction</Solution-Type>
    <Answer>3 (pies)</Answer>
    <Formula>4-1=3</Formula>
  </Problem>
  <Problem ID="own-2" Grade="2" Source="us">
    <Body>Ida has 2 pies.</Body><Question>Has she any?</Question>
    <Solution-Type>Comparison</Solution-Type><Answer>Yes</Answer><Formula>2&gt;0</Formula>
  </Problem>
</ProblemSet></Machine-Reading-Corpus-File>
"""
OWN: list[Row] = [
    {"question": "What is 2 + 2?", "answer": 4, "program": "answer = 2 + 2", "n_ops": 1, "topic": {"level": 1}},
    {"id": "b", "question": "What is 3 + 3?", "answer": "6", "source": "me", "origin": "complex", "teacher": None},
]


def lines(rows: list[Row]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def array(rows: list[Row]) -> str:
    return json.dumps(rows, indent=1)


def read_text(tmp_path: Path, text: str, *, file: str = "set.txt", **options: Any) -> Dataset:
    path = tmp_path / file
    path.write_text(text, encoding="utf-8")
    return read_dataset(path, **options)


ROWS: dict[str, list[Row]] = {"gsm8k": GSM8K, "svamp": SVAMP, "multiarith": MULTIARITH, "jsonl": OWN}


@pytest.mark.parametrize("write", [lines, array])
@pytest.mark.parametrize("format", ROWS)
def test_json_rows_are_recognised_in_an_array_or_in_lines(
    tmp_path: Path, format: str, write: Callable[[list[Row]], str]
) -> None:
    text = write(ROWS[format])
    recognised = read_text(tmp_path, text)
    assert recognised.format == format
    assert recognised == read_text(tmp_path, text, format=format)


def test_every_format_is_covered() -> None:
    assert {*ROWS, "asdiv"} == set(FORMATS)


def test_gsm8k_keeps_the_solution_with_its_calculator_notes(tmp_path: Path) -> None:
    first, second = read_text(tmp_path, lines(GSM8K), name="gsm8k").problems
    assert (first.id, first.source, first.answer) == ("gsm8k-1", "gsm8k", 1200)
    assert first.question == GSM8K[0]["question"]
    assert (first.solution, first.extra) == (GSM8K[0]["answer"], {})
    assert (second.id, second.answer) == ("gsm8k-2", 7)


def test_svamp_joins_body_and_question_and_adds_the_missing_full_stop(tmp_path: Path) -> None:
    (problem,) = read_text(tmp_path, array(SVAMP), name="svamp").problems
    assert problem.id == "svamp-chal-4"
    assert problem.question == "Cy has 5 kites and buys 2. How many kites does Cy have?"
    assert problem.answer == 7
    assert problem.extra == {"type": "Addition", "equation": "( 5.0 + 2.0 )"}


def test_asdiv_joins_over_a_comma_and_skips_words_by_name(tmp_path: Path) -> None:
    dataset = read_text(tmp_path, ASDIV, name="asdiv")
    (problem,) = dataset.problems
    assert (dataset.format, problem.id, problem.answer) == ("asdiv", "asdiv-own-1", 3)
    assert problem.question == "Hal baked 4 pies & sold 1, how many pies remain?"
    assert problem.extra == {"type": "Subtraction", "equation": "4-1=3", "grade": "2"}
    assert dataset.skipped == [("own-2", "not numeric: 'Yes'")]


def test_asdiv_reads_its_lower_case_json_exports(tmp_path: Path) -> None:
    row = {
        "body": "Jo had 4 pies.",
        "question": "How many?",
        "answer": "4 (pies)",
        "solution_type": "Sum",
        "formula": "4",
    }
    dataset = read_text(tmp_path, lines([row]), name="asdiv")
    assert dataset.format == "asdiv"
    assert dataset.problems[0].question == "Jo had 4 pies. How many?"
    assert dataset.problems[0].extra == {"type": "Sum", "equation": "4"}


def test_multiarith_reads_text_solutions_and_skips_several(tmp_path: Path) -> None:
    dataset = read_text(tmp_path, array(MULTIARITH), name="ma")
    assert [(p.id, p.question, p.answer) for p in dataset.problems] == [
        ("ma-1", "Di had 6 pens. She lost 2. How many now?", 4),
        ("ma-2", "Ed ran 2.5 miles twice. How far?", 5),
    ]
    assert dataset.problems[0].extra == {"equation": "X=6-2"}
    assert dataset.skipped == [("item 3", "not numeric: '3.0; 8.0'")]


def test_our_own_format_keeps_every_field(tmp_path: Path) -> None:
    first, second = read_text(tmp_path, lines(OWN), name="own").problems
    assert (first.id, first.source, first.program, first.n_ops) == ("own-1", "own", "answer = 2 + 2", 1)
    assert first.extra == {"topic": {"level": 1}}
    assert (second.id, second.answer, second.source) == ("own-b", 6, "me")
    assert (second.origin, second.teacher, second.extra) == ("complex", None, {})


def test_problems_written_out_read_back_the_same(tmp_path: Path) -> None:
    problems = read_text(tmp_path, lines(OWN), name="own").problems
    write_jsonl(tmp_path / "own.jsonl", [problem.to_row() for problem in problems])
    assert read_dataset(tmp_path / "own.jsonl").problems == problems
