"""Rows and summaries explain themselves: what was asked, what was expected, with which settings and versions."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from commands import fdd_edge

from fdd_edge import __version__, api
from fdd_edge.arguments import TOKENS_OF_TEXT, problems_to_ask
from fdd_edge.errors import FddError
from fdd_edge.operations.evaluate import read_evaluation
from fdd_edge.operations.evaluation_facts import EvaluationFacts
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.stages.evaluations import name_set
from fdd_edge.records import read_jsonl, write_jsonl
from fdd_edge.resolve.dataset import DatasetOptions, fetch_set

QUESTIONS = {"2 + 3?": 5, "Ann has 4 pens and 6 cups. How many?": 10.5}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    write_jsonl(path, ({"question": question, "answer": gold} for question, gold in QUESTIONS.items()))
    return path


def rows_in(folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_jsonl(folder / "rows.jsonl")]


def test_a_row_holds_question_gold_answer_and_what_was_wrong(tiny_gguf: Path, data: Path, tmp_path: Path) -> None:
    """To know what a wrong answer was an answer to, a user had to join two files."""
    api.evaluate(tiny_gguf, data, prompt="plain", max_new_tokens=6, output=tmp_path / "out")
    rows = rows_in(tmp_path / "out")
    assert {row["question"]: row["gold"] for row in rows} == QUESTIONS
    assert all(row["detail"] for row in rows if row["answer"] is None)
    assert list(rows[0])[:4] == ["problem_id", "sample", "question", "gold"]
    assert [(row.question, row.gold) for row in read_rows(tmp_path / "out")] == list(QUESTIONS.items())


def test_rows_of_an_earlier_version_are_read(tiny_gguf: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    api.evaluate(tiny_gguf, data, max_new_tokens=2, output=out)
    write_jsonl(
        out / "rows.jsonl", ({k: v for k, v in row.items() if k not in ("question", "gold")} for row in rows_in(out))
    )
    summary = json.loads((out / "summary.json").read_text())
    (out / "summary.json").write_text(
        json.dumps({k: summary[k] for k in summary if k not in ("settings", "versions", "data")})
    )
    assert [(row.question, row.gold, row.extra) for row in read_rows(out)] == [(None, None, {})] * 2
    assert read_evaluation(out).facts.data == {}


@pytest.mark.parametrize("wrong", [5, [], "text", None])
def test_facts_that_are_not_ours_are_empty(wrong: object) -> None:
    row = {"settings": wrong, "data": wrong, "versions": wrong, "fingerprint": {}}
    assert EvaluationFacts.from_row(row) == EvaluationFacts()


def test_the_summary_says_how_it_was_made(tiny_gguf: Path, data: Path, tmp_path: Path) -> None:
    result = api.evaluate(
        tiny_gguf, data, limit=1, num_fewshot=2, answer="number", prompt="plain", output=tmp_path / "out"
    )
    stored = json.loads((tmp_path / "out" / "summary.json").read_text())
    for told in (stored, result.to_dict()):
        assert told["data"]["path"] == str(data)
        assert told["data"]["sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
        assert (told["data"]["limit"], told["data"]["n"], told["data"]["format"]) == (1, 1, "jsonl")
        assert len(told["data"]["problems_sha256"]) == 64
        settings = told["settings"]
        assert settings["prompt"].endswith("Question: {question}\nProgram:\n")  # the examples stand before it
        assert (settings["num_fewshot"], settings["answer"], settings["max_new_tokens"]) == (
            2,
            "number",
            TOKENS_OF_TEXT,
        )
        assert told["versions"]["fdd_edge"] == __version__
        assert told["versions"].keys() == {"fdd_edge", "llama-cpp-python", "python"}


def test_a_shorter_set_is_another_one(tiny_gguf: Path, data: Path) -> None:
    whole, part = (api.evaluate(tiny_gguf, data, max_new_tokens=1, limit=limit).data for limit in (None, 1))
    assert whole["sha256"] == part["sha256"]
    assert whole["problems_sha256"] != part["problems_sha256"]


def test_the_same_settings_show_the_stored_result(tiny_gguf: Path, data: Path, tmp_path: Path) -> None:
    """The folder was refused, and the same minutes were spent again in another one."""
    words = ("eval", tiny_gguf, "--data", data, "--max-new-tokens", 4, "-o", tmp_path / "out")
    first, second = fdd_edge(*words), fdd_edge(*words)
    assert first.stdout == second.stdout  # with the speed that was measured then
    assert "out holds this evaluation already, so it is shown" in second.stderr
    assert "tiny-f32.gguf on mine" not in second.stderr
    other = fdd_edge(*words, "--limit", 1)
    assert (other.returncode, "already exists; choose another folder" in other.stderr) == (2, True)


def test_a_stored_result_that_was_changed_is_not_shown(tiny_gguf: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    api.evaluate(tiny_gguf, data, max_new_tokens=4, output=out)
    rows = rows_in(out)
    for changed in (rows[:1], [rows[0] | {"answer": 5, "verdict": "correct"}, rows[1]]):
        write_jsonl(out / "rows.jsonl", changed)
        with pytest.raises(FddError, match="out was changed after it was written; choose another folder, or delete it"):
            api.evaluate(tiny_gguf, data, max_new_tokens=4, output=out)


def test_cut_replies_are_announced_with_what_helps(tiny_gguf: Path, tmp_path: Path) -> None:
    prompt, data = tmp_path / "prompt.txt", tmp_path / "sums.jsonl"
    prompt.write_text("{question}=")
    write_jsonl(data, ({"question": f"{n} + {n}", "answer": 2 * n} for n in range(5)))
    words = ("eval", tiny_gguf, "--data", data, "--prompt", prompt, "--max-new-tokens", 3, "--answer", "last-number")
    said = " ".join(fdd_edge(*words).stdout.split())
    assert "replies were cut at 3 tokens and count as not solved; try --max-new-tokens 6" in said


def test_a_run_says_of_a_set_what_an_evaluation_says(data: Path, tmp_path: Path) -> None:
    """The summaries of a run lacked path, hash, limit and format of the data."""
    options = DatasetOptions(str(data), limit=1)
    problems, about = problems_to_ask(data, seed=0, limit=1)[::2]
    own = tmp_path / "valid.jsonl"
    write_jsonl(own, (problem.to_row() for problem in problems))
    sets = {"train": [], "valid": [], "eval": [fetch_set(options)]}
    run = cast(Run, SimpleNamespace(sets=sets, reported={"valid": own, "mine": data}))
    counted = {key: about[key] for key in ("n", "problems_sha256")}
    assert dict(name_set(run, "mine").data) | counted == about
    assert {"name": "mine", "path": str(data), "limit": 1}.items() <= about.items()
    assert about["format"] is not None
    assert about["sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    # Set apart from the training problems: the file in the run is what was asked.
    assert name_set(run, "valid").data.items() <= problems_to_ask(own, seed=0, limit=None).about.items()
    assert name_set(run, "valid").data["path"] == str(own)
    assert name_set(run, "pool").data == {"name": "pool"}
