"""What a teacher's answers become, for a teacher that is not ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from fdd_edge import teachers
from fdd_edge.feedback import LABELS
from fdd_edge.operations.evolve import evolve
from fdd_edge.records import Problem, write_jsonl
from fdd_edge.teachers import Draft


class Silent:
    """Writes up to so many problems: none."""

    name = "silent"
    writes_problems = True

    async def complexify(self, problems: Sequence[Problem], *, per_problem: int, seed: int) -> list[list[Draft]]:
        return [[] for _ in problems]

    similar = complexify


def test_a_parent_that_a_teacher_passes_over_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was told as one that nobody had asked for."""
    monkeypatch.setitem(teachers.TEACHERS, "silent", f"{__name__}:Silent")
    for label in LABELS:
        rows = [Problem(label, "What is 2 + 3?", 5, "test", program="answer = 2 + 3").to_row() | {"pass_rate": 1.0}]
        write_jsonl(tmp_path / "split" / f"{label}.jsonl", rows if label in ("easy", "hard") else [])
    without = evolve(
        tmp_path / "split",
        tmp_path / "evolved.jsonl",
        teacher="silent",
        per_easy=1,
        per_hard=1,
        max_depth=3,
        round_number=0,
        seed=0,
    )
    assert without == {"complex": {"nothing_written": ["easy"]}, "similar": {"nothing_written": ["hard"]}}
