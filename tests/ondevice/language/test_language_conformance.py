"""The cases that another implementation of the language can run as they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from fdd_edge.ondevice.language import judge_reply, normalize, run_program

CASES: list[dict[str, Any]] = [
    json.loads(line)
    for line in Path(__file__).with_name("conformance.jsonl").read_text(encoding="utf-8").split("\n")
    if line
]


def test_cases_are_many_and_named_apart() -> None:
    assert len(CASES) >= 80
    assert len({case["note"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case["note"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    outcome = judge_reply(case["reply"])
    assert (outcome.program, outcome.answer, outcome.verdict) == (case["program"], case["answer"], case["verdict"])
    assert type(outcome.answer) is type(case["answer"])
    assert bool(outcome.detail) == (outcome.verdict is not None)


@pytest.mark.parametrize("program", [case["program"] for case in CASES if case["program"]])
def test_normal_form_is_its_own(program: str) -> None:
    assert normalize(program) == program


@pytest.mark.parametrize("case", [c for c in CASES if c["answer"] is not None], ids=lambda case: str(case["note"]))
def test_normal_form_gives_the_answer(case: dict[str, Any]) -> None:
    assert run_program(case["program"]) == case["answer"]
