"""Every format, recognised or named, becomes the same kind of problem."""

from __future__ import annotations

import json
import re
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


MGSM: list[Row] = [
    {"question": "Jan a 3 sacs de 4 clous. Combien ?", "answer": None, "answer_number": 12, "equation_solution": None},
    {"question": "Kai?", "answer": "2 + 3 #### 9", "answer_number": "1,450", "equation_solution": "2 + 3 = 5"},
]
MATH: list[Row] = [
    {"problem": "Find $x$.", "solution": "So $x = \\boxed{1{,}200}$.", "level": "1", "type": "Algebra"},
    {"problem": "Halve one.", "solution": "It is $\\boxed{\\frac{1}{2}}$.", "level": "Level 2", "type": "Algebra"},
    {"problem": "Solve $y^2=9$.", "solution": "$y = \\boxed{3}$ or $\\boxed{-3}$.", "source": "olympiads"},
    {"problem": "Angle?", "solution": "First \\boxed{2}. Then it is $\\boxed{30^\\circ}$.", "source": "k12"},
    {"problem": "How many?", "solution": "There are 7.", "messages": [{"role": "user", "content": "How many?"}]},
    {"problem": "Cost?", "solution": "Long.", "answer": "\\$18.90", "unique_id": "test/cost/1.json"},
]
METAMATH: list[Row] = [
    {
        "query": "Lea has 2 pens, buys 3. How many?",
        "response": "2+3=5\n#### 5\nThe answer is: 5",
        "type": "GSM",
    },
    {
        "query": "Half of 1?",
        "response": "Not $\\boxed{7}$. The answer is: \\frac{1}{2}",
        "type": "MATH",
    },
]
OPENMATH: list[Row] = [
    {
        "problem": "Mia walks 3 miles twice.",
        "generated_solution": "3*2=\\boxed{6}",
        "expected_answer": "6",
        "problem_source": "augmented_gsm8k",
    },
    {
        "question": "Ned?",
        "generated_solution": "\\boxed{4}",
        "expected_answer": "5",
        "is_correct": False,
    },
    {"problem": "Ovid?", "generated_solution": "x", "expected_answer": "\\frac{2}{3}", "problem_source": "math"},
]
TINY_CODE = 'def simple_math_problem() -> int:\n    """\n    Pia has 3 bags of 4 figs.\n    """\n'
TINYGSM: list[Row] = [
    {
        "question": "Pia has 3 bags of 4 figs. How many figs?",
        "code": f"{TINY_CODE}    bags = 3\n    figs = 4\n    result = bags * figs\n    return result\n",
    },
    {"question": "Qi?", "code": f"{TINY_CODE}    result = [3, 4][0]\n    return result\n"},
    {"question": "Ray?", "code": f"{TINY_CODE}    result = 1 / 0\n    return result\n"},
]
GSM_HARD: list[Row] = [
    {
        "input": "Sam sells 3123456 eggs at $2. How much?",
        "code": "def solution():\n    eggs = 3123456\n    result = eggs * 2\n    return result",
        "target": 6246912.0,
    },
    {"input": "Tia?", "code": "def solution():\n    return 4", "target": 5.0},
    {"input": "Uma?", "target": -7.5},
]
INSTRUCTION: list[Row] = [
    {"instruction": "Add the numbers.", "input": "2 and 3", "output": "5"},
    {"instruction": "Vic has 2 of 9 figs left. How many are gone?", "input": "", "output": "9-2=7. The answer is 7."},
    {"instruction": "Six times two?", "output": "```python\nprint(6 * 2)\n```", "source": "pot"},
    {"instruction": "Write a poem on 7 hills.", "output": "On 7 hills I stood."},
    {"instruction": "Pick one.", "output": "3 is odd. The answer is B."},
]
CHATS: list[Row] = [
    {
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "Wes has 4 cats and 3 dogs. How many pets?"},
            {"role": "assistant", "content": "4 + 3 = 7\n#### 7"},
        ]
    },
    {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Twice 4?"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "$\\boxed{8}$"}]},
        ]
    },
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello, I know 3 songs."}]},
    {"messages": [{"role": "user", "content": text} for text in ("One?", "Two?")]},
    {"conversations": [{"from": "human", "value": "Half of 8?"}, {"from": "gpt", "value": "The answer is 4"}]},
]

ROWS: dict[str, list[Row]] = {
    "mgsm": MGSM,
    "gsm8k": GSM8K,
    "svamp": SVAMP,
    "multiarith": MULTIARITH,
    "openmathinstruct": OPENMATH,
    "jsonl": OWN,
    "metamathqa": METAMATH,
    "math": MATH,
    "tinygsm": TINYGSM,
    "instruction": INSTRUCTION,
    "gsm-hard": GSM_HARD,
    "messages": CHATS,
}
UNMARKED = "no answer is marked by \\boxed{}, #### or 'answer is'"


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


def test_the_page_lists_every_format_in_the_order_in_which_they_are_tried() -> None:
    page = Path(__file__).parents[2] / "docs" / "data.md"
    assert re.findall(r"^\| `([^`]+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE) == list(FORMATS)


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


def test_our_own_format_takes_an_answer_that_a_solution_marks(tmp_path: Path) -> None:
    answers = ["2 + 2 = 4, so the answer is 4.", r"\boxed{1{,}000}", "5 m", "There are 7 of them."]
    dataset = read_text(tmp_path, lines([{"question": "?", "answer": answer} for answer in answers]))
    assert [problem.answer for problem in dataset.problems] == [4, 1000]
    assert [item for item, _ in dataset.skipped] == ["line 3", "line 4"], "5 m may be meters or millions"


def test_mgsm_takes_the_number_and_not_what_a_solution_says(tmp_path: Path) -> None:
    first, second = read_text(tmp_path, lines(MGSM), name="mgsm").problems
    assert (first.id, first.question, first.answer) == ("mgsm-1", "Jan a 3 sacs de 4 clous. Combien ?", 12)
    assert (first.solution, first.extra) == (None, {})
    assert (second.answer, second.solution, second.extra) == (1450, "2 + 3 #### 9", {"equation": "2 + 3 = 5"})


def test_math_takes_the_last_box_or_the_answer_column(tmp_path: Path) -> None:
    dataset = read_text(tmp_path, lines(MATH), name="math")
    assert [(p.id, p.answer) for p in dataset.problems] == [
        ("math-1", 1200),
        ("math-4", 30),
        ("math-test/cost/1.json", 18.9),
    ]
    assert dataset.problems[0].solution == MATH[0]["solution"]
    assert [p.extra for p in dataset.problems] == [
        {"level": "1", "type": "Algebra"},
        {"collection": "k12"},
        {},
    ]
    assert dataset.skipped == [
        ("line 2", r"not numeric: '\\frac{1}{2}'"),
        ("line 3", "not numeric: '3; -3'"),
        ("line 5", UNMARKED),
    ]


def test_metamathqa_takes_its_last_sentence_also_after_a_box(tmp_path: Path) -> None:
    dataset = read_text(tmp_path, lines(METAMATH), name="mm")
    (problem,) = dataset.problems
    assert (problem.question, problem.answer, problem.extra) == (METAMATH[0]["query"], 5, {"type": "GSM"})
    assert problem.solution == METAMATH[0]["response"]
    assert dataset.skipped == [("line 2", r"not numeric: '\\frac{1}{2}'")]


def test_openmathinstruct_takes_the_expected_answer_and_no_wrong_solution(tmp_path: Path) -> None:
    dataset = read_text(tmp_path, lines(OPENMATH), name="om")
    first, second = dataset.problems
    assert (first.question, first.answer, first.solution) == ("Mia walks 3 miles twice.", 6, r"3*2=\boxed{6}")
    assert first.extra == {"problem_source": "augmented_gsm8k"}
    assert (second.question, second.answer, second.solution, second.extra) == ("Ned?", 5, None, {})
    assert dataset.skipped == [("line 3", r"not numeric: '\\frac{2}{3}'")]


def test_the_code_of_tinygsm_becomes_the_program_and_its_result_the_answer(tmp_path: Path) -> None:
    dataset = read_text(tmp_path, lines(TINYGSM), name="tiny")
    (problem,) = dataset.problems
    assert (problem.question, problem.answer) == (TINYGSM[0]["question"], 12)
    assert problem.program == "bags = 3\nfigs = 4\nresult = bags * figs\nanswer = result"
    assert dataset.skipped == [
        ("line 2", "its code gives no number: 'Subscript' is outside the program language"),
        ("line 3", "its code gives no number: ZeroDivisionError: division by zero"),
    ]


def test_gsm_hard_keeps_code_only_if_it_computes_the_target(tmp_path: Path) -> None:
    problems = read_text(tmp_path, lines(GSM_HARD), name="hard").problems
    assert [(p.question, p.answer, p.program) for p in problems] == [
        (GSM_HARD[0]["input"], 6246912, "eggs = 3123456\nresult = eggs * 2\nanswer = result"),
        ("Tia?", 5, None),
        ("Uma?", -7.5, None),
    ]


def test_an_instruction_needs_a_marked_answer_a_number_or_a_program_as_its_output(tmp_path: Path) -> None:
    dataset = read_text(tmp_path, lines(INSTRUCTION), name="alpaca")
    assert [(p.question, p.answer, p.program) for p in dataset.problems] == [
        ("Add the numbers.\n2 and 3", 5, None),
        (INSTRUCTION[1]["instruction"], 7, None),
        ("Six times two?", 12, "answer = 6 * 2"),
    ]
    assert [p.solution for p in dataset.problems] == [None, "9-2=7. The answer is 7.", None]
    assert dataset.problems[2].extra == {"collection": "pot"}
    assert dataset.skipped == [("line 4", UNMARKED), ("line 5", "not numeric: 'B'")]


def test_a_chat_is_one_question_and_its_reply(tmp_path: Path) -> None:
    dataset = read_text(tmp_path, lines(CHATS), name="chat")
    assert [(p.question, p.answer) for p in dataset.problems] == [
        ("Wes has 4 cats and 3 dogs. How many pets?", 7),
        ("Twice 4?", 8),
        ("Half of 8?", 4),
    ]
    assert dataset.skipped == [
        ("line 3", UNMARKED),
        ("line 4", "a chat of 2 questions and 0 replies, not of one each"),
    ]


@pytest.mark.parametrize(
    ("more", "format"),
    [
        ({"question": "Q?", "answer": "5 #### 5", "answer_number": 5}, "mgsm"),
        ({"question": "Q?", "answer": 5, "code": "x", "messages": [], "problem": "P", "solution": "S"}, "jsonl"),
        ({"problem": "Q?", "solution": r"\boxed{5}", "messages": [{"role": "user", "content": "Q?"}]}, "math"),
        (
            {"problem": "Q?", "solution": r"\boxed{4}", "generated_solution": "S", "expected_answer": "5"},
            "openmathinstruct",
        ),
        ({"instruction": "Q?", "input": "", "output": "5", "target": 4}, "instruction"),
        ({"query": "Q?", "response": "The answer is: 5", "messages": []}, "metamathqa"),
    ],
)
def test_the_format_with_the_more_specific_columns_is_chosen(tmp_path: Path, more: Row, format: str) -> None:
    dataset = read_text(tmp_path, lines([more]))
    assert (dataset.format, dataset.problems[0].question, dataset.problems[0].answer) == (format, "Q?", 5)


def test_problems_written_out_read_back_the_same(tmp_path: Path) -> None:
    problems = read_text(tmp_path, lines(OWN), name="own").problems
    write_jsonl(tmp_path / "own.jsonl", [problem.to_row() for problem in problems])
    assert read_dataset(tmp_path / "own.jsonl").problems == problems
