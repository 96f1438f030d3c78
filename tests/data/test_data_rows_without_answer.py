"""A row without an answer is skipped by name; it does not end the file. Chats are read under any of their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fdd_edge.arguments import problems_to_ask
from fdd_edge.data import Dataset, read_dataset, read_list
from fdd_edge.errors import FddError

SHAPES: dict[str, tuple[dict[str, Any], str]] = {
    "tinygsm": ({"question": "3 + 2?", "code": "def f():\n    return 3 + 2"}, "code"),
    "instruction": ({"instruction": "3 + 2?", "output": "5"}, "output"),
    "math": ({"problem": "3 + 2?", "solution": "\\boxed{5}"}, "solution"),
    "metamathqa": ({"query": "3 + 2?", "response": "The answer is: 5"}, "response"),
    "gsm8k": ({"question": "3 + 2?", "answer": "3 + 2\n#### 5"}, "answer"),
    "multiarith": ({"sQuestion": "3 + 2?", "lSolutions": [5.0]}, "lSolutions"),
    "messages": (
        {"messages": [{"role": "user", "content": "3 + 2?"}, {"role": "assistant", "content": "5"}]},
        "messages",
    ),
}


def read(tmp_path: Path, *rows: dict[str, Any]) -> Dataset:
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_dataset(path)


@pytest.mark.parametrize("format", SHAPES)
def test_a_row_without_an_answer_is_skipped_by_name(tmp_path: Path, format: str) -> None:
    """One `code: null` in a million rows ended the command."""
    row, key = SHAPES[format]
    found = read(tmp_path, row, row | {key: None}, row)
    assert (found.format, [p.answer for p in found.problems]) == (format, [5, 5])
    assert found.skipped == [("line 2", f"its {key!r} is null")]


@pytest.mark.parametrize("format", ["instruction", "math", "metamathqa", "gsm8k"])
def test_a_number_in_place_of_a_solution_is_the_answer(tmp_path: Path, format: str) -> None:
    row, key = SHAPES[format]
    found = read(tmp_path, row, row | {key: 7}, row | {key: [7]}, row | {key: " "})
    assert [p.answer for p in found.problems] == [5, 7]
    assert [reason for _, reason in found.skipped] == [f"its {key!r} is not text", f"its {key!r} is empty"]


def test_code_that_is_no_text_is_skipped(tmp_path: Path) -> None:
    row, _ = SHAPES["tinygsm"]
    assert read(tmp_path, row, row | {"code": 5}).skipped == [("line 2", "its 'code' is not text")]


@pytest.mark.parametrize(
    ("list_key", "role", "text", "asks", "answers"),
    [
        ("conversations", "role", "content", "User", "Assistant"),
        ("conversations", "from", "value", "Human", "GPT"),
        ("messages", "role", "value", "human", "gpt"),
        ("messages", "role", "content", "user", "model"),
        ("messages", "from", "content", "HUMAN", "Assistant"),
    ],
)
def test_chats_under_all_their_names(
    tmp_path: Path, list_key: str, role: str, text: str, asks: str, answers: str
) -> None:
    """Each of these was "a chat of 0 questions and 0 replies"."""
    turns = [{role: "System", text: "Be brief."}, {role: asks, text: "3 + 2?"}, {role: answers, text: "5"}]
    (problem,) = read(tmp_path, {list_key: turns}).problems
    assert (problem.question, problem.answer) == ("3 + 2?", 5)


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        (
            [{"role": "student", "content": "3?"}, {"role": "coach", "content": "3"}],
            ": it has the roles 'coach', 'student'; known are user and assistant, human and gpt",
        ),
        ([{"speaker": "user", "text": "3?"}], ": a message has the keys 'speaker', 'text', not role and content, or "),
    ],
)
def test_unknown_roles_and_keys_of_a_chat_are_named(tmp_path: Path, turns: list[Any], why: str) -> None:
    (skipped,) = read(tmp_path, {"messages": turns}, SHAPES["messages"][0]).skipped
    replies = "a chat of 0 questions and 0 replies, not of one each"
    assert skipped.reason.startswith(replies + why)


def test_code_next_to_an_answer_becomes_the_program_if_it_gives_the_answer(tmp_path: Path) -> None:
    """TinyGSM's rows with an answer were read as our own format, which dropped their code without a word."""
    code = "def f():\n    return 3 + 2"
    found = read(
        tmp_path,
        {"question": "3 + 2?", "answer": 5, "code": code},
        {"question": "3 + 3?", "answer": 6, "code": code},
        {"question": "4?", "answer": 4, "code": "4"},
    )
    assert [p.program for p in found.problems] == ["answer = 3 + 2", None, None]
    solved = {"question": "3 + 2?", "answer": "5\n#### 5", "program": "answer = 3 + 2"}
    assert read(tmp_path, solved).problems[0].program == "answer = 3 + 2"


def test_an_object_or_its_list_may_be_printed_over_several_lines(tmp_path: Path) -> None:
    row, path = {"question": "3 + 2?", "answer": 5}, tmp_path / "set.json"
    contents: list[Any] = [row, {"data": [row]}, {"version": 1, "data": [row]}, {"test": [row]}]
    for content in contents:
        for indent in (None, 1):
            path.write_text(json.dumps(content, indent=indent), encoding="utf-8")
            assert [p.answer for p in read_dataset(path).problems] == [5], content
    path.write_text(f"{json.dumps(row, indent=1)}\n{json.dumps(row, indent=1)}\n", encoding="utf-8")
    with pytest.raises(
        FddError, match=r"set\.json:1 ends inside a JSON object: write each object on a line of its own"
    ):
        read_dataset(path)


def test_a_list_in_memory_has_any_format_and_any_numbers() -> None:
    """A list of dicts had to be in our own format, and numpy's numbers were refused."""
    numpy = pytest.importorskip("numpy")
    for row, _ in SHAPES.values():
        assert [p.answer for p in read_list([row]).problems] == [5]
    for answer in (numpy.int64(5), numpy.float32(5)):
        (problem,) = read_list([{"question": "3 + 2?", "answer": answer}]).problems
        assert (problem.answer, type(problem.answer)) == (5, int)
    with pytest.raises(
        FddError, match=r"^problem 1 has neither question nor answer; its keys are 'ask', 'reply': name"
    ):
        read_list([{"ask": "?", "reply": 5}])


@pytest.mark.parametrize("limit", [True, "3", 1.5])
def test_a_limit_is_a_whole_number(limit: Any) -> None:
    rows = [SHAPES["gsm8k"][0]]
    with pytest.raises(FddError, match=r"^limit must be a whole number, not "):
        read_list(rows, limit=limit)
    with pytest.raises(FddError, match=r"^limit: must be a whole number, not "):
        problems_to_ask(rows, seed=0, limit=limit)
