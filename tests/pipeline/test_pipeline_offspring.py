"""What the stage of new problems is made from: with a bank, all that the run knows; with other teachers, the split."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fdd_edge.config import Config
from fdd_edge.feedback import LABELS
from fdd_edge.operations.teaching import NamedTeacher
from fdd_edge.pipeline.stages.offspring import evolve_problems
from fdd_edge.records import Problem, read_problems, write_jsonl
from fdd_edge.runs import Manifest, RunLayout, Stages
from fdd_edge.teachers.recorded import Bank, RecordedTeacher

QUESTIONS = [f"How many eggs do {n} hens and a duck lay?" for n in range(2, 10)]
BANK = Bank([Problem(f"b-{n}", q, n + 1, "b", program=f"answer = {n} + 1", n_ops=1) for n, q in enumerate(QUESTIONS)])
STOCK = RecordedTeacher("b", lambda: BANK)


def write(path: Path, *problems: Problem) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_jsonl(path, (problem.to_row() for problem in problems))


def begin_round(run: Any, number: int, *train: Problem) -> None:
    """Write the data of a round, in which the judge solves one problem and misses another."""
    round_dir = run.layout.round(number)
    write(round_dir.train, *train)
    asked = [Problem(f"{side}{number}", f"How many eggs, {side}?", 3, "s", program="answer = 1 + 2") for side in "xy"]
    for label in LABELS:
        own = {"easy": asked[:1], "hard": asked[1:]}.get(label, [])
        write(round_dir.split / f"{label}.jsonl", *(Problem.from_row({**p.to_row(), "pass_rate": 1.0}) for p in own))


@pytest.fixture
def run(tmp_path: Path) -> Any:
    layout = RunLayout(tmp_path / "run")
    layout.root.mkdir()
    config = Config.model_validate(
        {
            "student": {"model_name_or_path": "tiny"},
            "data": {"train": [{"path": "symbolic:train"}]},
            "teacher": {"evolve": f"{__name__}:STOCK"},
            "feedback": {"per_easy": 1, "per_hard": 2},
            "output_dir": str(layout.root),
        }
    )
    write(layout.valid, Problem("v", QUESTIONS[0], 1, "valid"))
    write(layout.root / "reserve.jsonl", Problem("r", QUESTIONS[1], 2, "mine", program="answer = 2"))
    stages = Stages(layout.root, Manifest(layout.manifest))
    return SimpleNamespace(
        layout=layout,
        config=config,
        stages=stages,
        seed=0,
        named=SimpleNamespace(writer=NamedTeacher(config.teacher.evolve)),
        reported={"valid": layout.valid},
        trained_on=lambda round_dir: [round_dir.train, layout.root / "reserve.jsonl"],
    )


def drawn(run: Any, number: int) -> list[str]:
    evolve_problems(run, run.layout.round(number))
    return [p.teacher_notes["row"] for p in read_problems(run.layout.round(number).evolved)]


def test_no_round_is_given_what_the_run_knows_or_was_given(run: Any) -> None:
    trained = Problem("t", QUESTIONS[2], 3, "mine", program="answer = 2 + 1")
    begin_round(run, 0, trained)
    first = drawn(run, 0)
    begin_round(run, 1, trained)  # none of the first round's was accepted
    second = drawn(run, 1)
    assert first == ["3", "4"] and second == ["5", "6"]


def test_a_bank_is_asked_again_only_if_what_the_run_knows_has_changed(run: Any) -> None:
    begin_round(run, 0)
    made = [drawn(run, 0), run.layout.round(0).evolved.stat().st_mtime_ns]
    assert [drawn(run, 0), run.layout.round(0).evolved.stat().st_mtime_ns] == made
    write(run.layout.valid, Problem("v", QUESTIONS[3], 4, "valid"))
    run.stages = Stages(run.layout.root, Manifest(run.layout.manifest))
    assert drawn(run, 0) == ["0", "2"]


def test_a_teacher_without_a_stock_depends_on_the_split_alone(run: Any) -> None:
    """Its stage has the fingerprint that it had before there were banks, so that no finished run is made again."""
    run.named.writer = NamedTeacher("symbolic")
    begin_round(run, 0)
    evolve_problems(run, run.layout.round(0))
    (entry,) = Manifest(run.layout.manifest).stages.values()
    assert list(entry.inputs) == ["split"]
