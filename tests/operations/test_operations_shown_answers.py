"""Which questions a run shows, and what is kept of the answers to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.shown_answers import choose_questions, read_answers
from fdd_edge.records import Problem, write_jsonl
from fdd_edge.runs.stage_files import EvaluationFiles

PROBLEMS = [Problem(f"p{i}", f"How much is {i} + 1?", i + 1, "sums") for i in range(30)]
LONG = [Problem(f"l{i}", "How many? " * (30 + i), 1, "stories") for i in range(3)]


def test_short_questions_are_drawn_by_the_seed() -> None:
    drawn = choose_questions([*LONG, *PROBLEMS], 2, 0)
    assert drawn == choose_questions([*LONG, *PROBLEMS], 2, 0)
    assert all(problem in PROBLEMS for problem in drawn)
    assert len({tuple(p.id for p in choose_questions(PROBLEMS, 2, seed)) for seed in range(9)}) > 1


def test_where_none_is_short_the_shortest_are_taken() -> None:
    assert {problem.id for problem in choose_questions(LONG, 2, 5)} == {"l0", "l1"}
    assert choose_questions(LONG, 9, 0) == LONG
    assert choose_questions([], 2, 0) == []


def completion(problem_id: str, text: str, **fields: Any) -> Completion:
    row: dict[str, Any] = {
        "problem_id": problem_id,
        "sample": 0,
        "text": text,
        "program": None,
        "answer": None,
        "verdict": None,
    }
    return Completion(**row | {"n_prompt_tokens": 1, "n_tokens": 1, "prompt_ids_sha": ""} | fields)


def test_answers_are_those_of_the_evaluation(tmp_path: Path) -> None:
    program = "a = 1 + 1\nanswer = a"
    rows = [
        completion("p0", "So it is one.\n" * 99, verdict=Verdict.no_program),
        completion("p2", program, program=program, answer=2, verdict=Verdict.wrong),
        completion("p1", program, program=program, answer=2, verdict=Verdict.correct),
    ]
    write_jsonl(EvaluationFiles(tmp_path).rows, (row.to_row() for row in rows))
    right, none, wrong = read_answers(tmp_path, "valid", [PROBLEMS[1], PROBLEMS[0], PROBLEMS[2]])
    assert (right.correct, right.answer, right.expected, right.dataset) == (True, 2, 2, "valid")
    assert [line.value for line in right.lines] == [2, 2]
    assert right.text == ""
    assert (none.verdict, none.lines, none.correct) == ("no_program", [], False)
    assert none.text.startswith("So it is one.") and len(none.text) <= 500
    assert (wrong.correct, wrong.answer, wrong.expected) == (False, 2, 3)
    assert json.loads(json.dumps(right.to_row()))["lines"][0] == {"text": "a = 1 + 1", "value": 2}
    assert read_answers(tmp_path, "valid", [PROBLEMS[9]]) == []
