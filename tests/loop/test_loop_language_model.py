"""A whole run whose teacher is a language model behind an endpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import fdd_edge
from fault_server import Question, Served, completion, serve
from teaching_server import written

from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.records import read_problems, write_jsonl

pytestmark = pytest.mark.slow


def small(url: str, **teacher: Any) -> dict[str, Any]:
    """A config of the size of the small run, whose teacher is an endpoint."""
    model = {"base_url": url, "model": "tiny", "price": {"input": 1, "output": 2}}
    return {
        **yaml.safe_load(Path(__file__).with_name("small.yaml").read_text(encoding="utf-8")),
        "teacher": {"evolve": "mini", "models": {"mini": model}, **teacher},
        "rounds": 1,
    }


def solved(question: Question) -> Served:
    """A program whose answer is 12, whatever was asked."""
    message = {"role": "assistant", "content": "<program>\nanswer = 3 * 4\n</program>"}
    return Served(content=json.dumps(completion(question.body, message=message)).encode())


def test_a_budget_that_ends_the_first_stage_is_still_spent_when_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was there to keep but what had been paid: the run was deleted, and its budget began anew."""
    monkeypatch.chdir(tmp_path)
    names = ("Ann", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal", "Ida", "Jo", "Kit", "Leo")
    rows = ({"question": f"{name} buys {n} dozen eggs. How many?", "answer": 12} for n, name in enumerate(names, 2))
    write_jsonl(Path("train.jsonl"), rows)
    with serve(reply=solved) as server:
        config = small(server.url, rationale=["annotated", "mini"], evolve="symbolic", budget={"calls": 5})
        config["data"] = {**config["data"], "train": [{"path": "train.jsonl"}], "valid": []}
        Path("mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        for _ in range(2):
            ran = fdd_edge("run", "mine.yaml", "-o", "run")
            assert ran.returncode == 5 and "5 of it spent in 5 calls" in ran.stderr, ran.stderr
            assert len(server.asked) == 5
        report = json.loads(fdd_edge("ledger", "run", "--json").stdout)
        assert report["calls"] == 5
        ran = fdd_edge("run", "mine.yaml", "-o", "run", "--set", "teacher.budget.calls=50")
        assert ran.returncode == 0, ran.stderr
    copied = [json.loads(line) for path in Path("run").glob("round-00/*/ledger.jsonl") for line in path.open()]
    valid = {problem.id for problem in read_problems(Path("run/data/valid.jsonl"))}
    assert valid and valid <= {row["problem_id"] for row in copied}
    assert all(row["reply"].startswith("<program>") for row in copied)


def test_the_teacher_is_shown_what_the_student_wrote_and_asked_until_enough_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with serve(reply=written) as server:
        config = small(server.url, show_failure=True)
        Path("mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        command = ("run", "mine.yaml", "-o", "run", "--set", "feedback.target_new=6")
        ran = fdd_edge(*command)
        assert ran.returncode == 0, ran.stderr
        asked = list(server.asked)
        requests = len(server.headers)
        assert requests > len(asked), "the list of models was asked for before"
        assert fdd_edge(*command).returncode == 0
        assert server.asked == asked and len(server.headers) == requests
    assert fdd_edge(*command).returncode == 0, "a finished run needs no endpoint"
    round_dir = Path("run/round-00")
    judge = config["feedback"]["artifact"]
    wrong = [row.program for row in read_rows(round_dir / "eval/local" / judge / "pool") if row.verdict == "wrong"]
    shown = [body for body in asked if "wrote this program instead" in json.dumps(body)]
    assert shown
    for body in shown:
        assert any(str(program) in body["messages"][-1]["content"] for program in wrong)
    accepted = read_problems(round_dir / "curated/accepted.jsonl")
    assert len(accepted) >= 6 or "of feedback.target_new 6 new problems passed curation" in ran.stderr
    report = json.loads(fdd_edge("ledger", "run", "--json").stdout)
    assert report["calls"] == len(asked) and report["accepted"] == len(accepted)


@pytest.mark.parametrize(
    ("key", "code", "sentence"),
    [("wrong", 2, "does not accept the key in api_key"), (None, 6, "cannot be reached")],
)
def test_a_teacher_that_cannot_be_asked_is_found_before_anything_is_trained(
    key: str | None, code: int, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong key or address was found when the first student was trained."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEY_OF_MINE", "wrong")
    with serve(reply=written, key="right") as server:
        url = server.url if key else "http://127.0.0.1:9/v1"
        mini = {"base_url": url, "model": "tiny", "api_key": "${KEY_OF_MINE}"}
        config = {
            **yaml.safe_load(Path(__file__).with_name("small.yaml").read_text(encoding="utf-8")),
            "teacher": {"evolve": "mini", "models": {"mini": mini}},
        }
        Path("mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        ran = fdd_edge("run", "mine.yaml", "-o", "run")
        assert ran.returncode == code and sentence in ran.stderr and "Traceback" not in ran.stderr
        assert server.asked == []
    assert not Path("run").exists()
