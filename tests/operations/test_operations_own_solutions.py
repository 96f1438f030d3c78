"""The student's own right programs: from an evaluation of labelled problems to the next round's data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from commands import fdd_edge

from fdd_edge.operations.split import draw_pool
from fdd_edge.records import read_jsonl, read_problems


@pytest.mark.slow
def test_a_run_trains_on_the_students_own_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load((Path(__file__).parents[1] / "loop/small.yaml").read_text(encoding="utf-8"))
    config["feedback"] |= {"own_solutions": 2, "num_return_sequences": 4, "policy": "none"}
    Path("mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    ran = fdd_edge("run", "mine.yaml", "-o", "run")
    assert ran.returncode == 0, ran.stderr
    first, second = Path("run/round-00"), Path("run/round-01")
    own = read_problems(first / "own/accepted.jsonl")
    trained = read_problems(second / "data/train.jsonl")
    assert [p for p in trained if p.origin == "own"] == own
    assert {p.teacher for p in own} <= {"student"}
    by_id = {p.id: p for p in trained}
    assert all(by_id[str(p.parent_id)].question == p.question and p.round == 1 for p in own)
    summary = json.loads((first / "summary.json").read_text(encoding="utf-8"))
    assert summary["own_solutions"] == len(own)
    assert f"{len(own)} other right program" in ran.stdout
    rejected = [row["reason"] for _, row in read_jsonl(first / "own/rejected.jsonl")]
    assert own or rejected, "the tiny student solves some of the problems that it was made from"
    assert not {p.id for p in draw_pool(second / "data/train.jsonl", 1000, seed=0)} & {p.id for p in own}
