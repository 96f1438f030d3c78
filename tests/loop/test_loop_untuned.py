"""The untuned student is evaluated after the rounds, and its figures reach every round's summary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import Ran, fdd_edge

from fdd_edge.resolve.student import Student
from fdd_edge.runs import Manifest, RunLayout

pytestmark = pytest.mark.slow

SMALL = Path(__file__).with_name("small.yaml")


def run(out: Path, *words: object) -> Ran:
    ran = fdd_edge("run", SMALL, "-o", out, "--set", "baseline.num_fewshot=1", "--no-parity", *words)
    assert ran.returncode == 0, ran.stderr
    return ran


def test_the_untuned_student_comes_after_the_rounds(tiny_student: Student, tmp_path: Path) -> None:
    """It once came first: a newcomer waited for its certificate and its replies before anything was trained."""
    out = tmp_path / "run"
    ran = run(out, "--json")
    stages = list(Manifest(RunLayout(out).manifest).stages)
    evaluated = [
        stage for stage in stages if stage.startswith("untuned/eval") and not stage.endswith("/shown-questions")
    ]
    assert {stage.rsplit("/", 1)[1] for stage in evaluated} == {"valid", "symbolic-heldout"}
    assert min(map(stages.index, evaluated)) > stages.index("round-01/curated")
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [row["round"] for row in rows] == [0, 1]
    for row in rows:
        assert [figures["dataset"] for figures in row["untuned"]] == ["valid", "symbolic-heldout"]
        assert row["untuned_follows"] is False
        written = json.loads((out / f"round-0{row['round']}" / "summary.json").read_text(encoding="utf-8"))
        assert written == row
    again = run(out)
    assert "untuned gguf-q8_0" in again.stdout
    assert "follows after the last round" not in again.stdout
    assert "Before and after training: gguf-q8_0" in again.stdout


def test_the_same_questions_are_shown_before_training_and_after_every_round(
    tiny_student: Student, tmp_path: Path
) -> None:
    """They are the evaluation's own rows, stand in the summary, and a finished run shows the same again."""
    out = tmp_path / "run"
    first = run(out)
    stages = list(Manifest(RunLayout(out).manifest).stages)
    asked = "untuned/eval/local/gguf-q8_0/shown-questions"
    assert stages.index(asked) < stages.index("round-00/adapter")
    rows = [json.loads((out / f"round-0{n}" / "summary.json").read_text(encoding="utf-8")) for n in (0, 1)]
    questions = [[(one["dataset"], one["question"]) for one in row["answers"]] for row in rows]
    assert questions[0] == questions[1]
    assert [dataset for dataset, _ in questions[0]] == ["valid", "valid", "symbolic-heldout"]
    assert [(one["dataset"], one["question"]) for one in rows[0]["untuned_answers"]] == questions[0][:2]
    evaluated = (out / "round-01/eval/local/gguf-q8_0/valid/rows.jsonl").read_text(encoding="utf-8")
    given = {row["answer"] for row in map(json.loads, evaluated.splitlines())}
    assert {one["answer"] for one in rows[1]["answers"][:2]} <= given
    places = [first.stdout.index(text) for text in ("Asked before", "Asked after round 0", "Asked after round 1")]
    assert places == sorted(places)
    assert first.stdout.index("Asked after round 0") < first.stdout.index("\nRound 0")
    again = run(out)
    assert "shown-questions" not in again.stderr
    shown = first.stdout[places[0] : first.stdout.index("\nRound 0")]
    assert shown in again.stdout
    for words in (("--set", "questions=0"), ("-q",), ("--json",)):
        assert "Asked" not in run(out, *words).stdout
