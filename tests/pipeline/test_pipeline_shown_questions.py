"""Which questions a run shows, of which sets."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from kept import PROBLEMS

from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.shown_questions import questions_before, questions_of
from fdd_edge.records import write_jsonl


def run_with(questions: int, folder: Path, *sets: str) -> Run:
    """Return what of a run decides about the questions."""
    reported = {name: folder / f"{name}.jsonl" for name in ("valid", *sets)}
    for path in reported.values():
        write_jsonl(path, (problem.to_row() for problem in PROBLEMS))
    config: Any = SimpleNamespace(questions=questions, baseline="few-shot")
    return cast(Run, SimpleNamespace(config=config, reported=reported, seed=0))


@pytest.mark.parametrize(
    ("questions", "sets", "counts"),
    [
        (0, ("test",), {}),
        (1, ("test",), {"valid": 1}),
        (1, (), {"valid": 1}),
        (2, ("test",), {"valid": 1, "test": 1}),
        (3, ("test", "more"), {"valid": 2, "test": 1}),
        (3, (), {"valid": 3}),
    ],
)
def test_the_first_question_is_one_of_valid(
    questions: int, sets: tuple[str, ...], counts: dict[str, int], tmp_path: Path
) -> None:
    """A single one is asked before training too, so that one sees what training changed."""
    run = run_with(questions, tmp_path, *sets)
    assert {name: len(asked) for name, asked in questions_of(run).items()} == counts
    assert len(questions_before(run)) == counts.get("valid", 0)
