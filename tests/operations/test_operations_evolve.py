"""What becomes of a teacher's answers, for a teacher that is not ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from fdd_edge import api
from fdd_edge.feedback import LABELS, EvolveOptions
from fdd_edge.operations.evolve import evolve, read_declined
from fdd_edge.operations.teaching import NamedTeacher
from fdd_edge.records import Problem, read_jsonl, read_problems, write_jsonl
from fdd_edge.runs.stage_files import OffspringFiles
from fdd_edge.teachers import Declined, Draft
from fdd_edge.teachers.recorded import Bank, RecordedTeacher


class Silent:
    """Writes up to N problems: none."""

    name = "silent"
    writes_problems = True

    async def rationale(self, problems: Sequence[Problem]) -> list[Declined]:
        return [Declined(problem.id, self.name, "silent") for problem in problems]

    async def complexify(self, problems: Sequence[Problem], *, per_problem: int, seed: int) -> list[list[Draft]]:
        return [[] for _ in problems]

    similar = complexify


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """A split with one easy and one hard problem, and one that is too deep to evolve."""
    deep = Problem("deep", "What is 7 + 8?", 15, "test", program="answer = 7 + 8", depth=3, pass_rate=1.0)
    for label in LABELS:
        own = [Problem(label, "What is 2 + 3?", 5, "test", program="answer = 2 + 3", pass_rate=1.0)]
        problems = {"easy": [*own, deep], "hard": own}.get(label, [])
        write_jsonl(tmp_path / "split" / f"{label}.jsonl", (problem.to_row() for problem in problems))
    return tmp_path / "split"


def test_a_parent_for_which_a_teacher_writes_nothing_is_counted(split: Path, tmp_path: Path) -> None:
    """It was counted as one that no teacher had been asked about."""
    out = tmp_path / "evolved"
    evolve(
        out, split=split, teacher=NamedTeacher(f"{__name__}:Silent"), options=EvolveOptions(), round_number=0, seed=0
    )
    files = OffspringFiles(out)
    assert sorted(path.name for path in out.iterdir()) == ["declined.jsonl", "problems.jsonl"]
    assert read_problems(files.problems) == []
    assert read_declined(files.declined) == {
        "complex": {"max_depth": ["deep"], "nothing_written": ["easy"]},
        "similar": {"nothing_written": ["hard"]},
    }
    rows = [row for _, row in read_jsonl(files.declined)]
    assert rows[0] == {"parent_id": "deep", "branch": "complex", "reason": "max_depth"}


def test_evolve_alone_reports_what_was_declined(split: Path, tmp_path: Path) -> None:
    result = api.evolve(split, tmp_path / "out", teacher=f"{__name__}:Silent")
    assert result.evolved == {"complex": 0, "similar": 0}
    assert result.declined == {"complex": {"max_depth": 1, "nothing_written": 1}, "similar": {"nothing_written": 1}}
    assert result.path == tmp_path / "out"


def test_what_is_not_wanted_is_not_asked_for(split: Path, tmp_path: Path) -> None:
    options = EvolveOptions(per_easy=0, per_hard=2)
    evolve(tmp_path / "out", split=split, teacher=NamedTeacher("symbolic"), options=options, round_number=4, seed=0)
    problems = read_problems(OffspringFiles(tmp_path / "out").problems)
    assert {(p.origin, p.parent_id, p.round, p.depth, p.teacher) for p in problems} == {
        ("similar", "hard", 5, 1, "symbolic")
    }
    assert read_declined(OffspringFiles(tmp_path / "out").declined) == {"complex": {"max_depth": ["deep"]}}


def test_the_most_frequent_reason_comes_first(tmp_path: Path) -> None:
    rows = [("a", "rare"), ("b", "often"), ("c", "often")]
    write_jsonl(tmp_path / "d.jsonl", ({"parent_id": p, "branch": "similar", "reason": r} for p, r in rows))
    assert list(read_declined(tmp_path / "d.jsonl")["similar"].items()) == [("often", ["b", "c"]), ("rare", ["a"])]


def stocked(n: int, program: str) -> Problem:
    n_ops = program.count("+")
    return Problem(f"b-{n}", f"Row {n} is what?", 3 * n, "b", program=program, n_ops=n_ops)


BANK = Bank([stocked(n, f"answer = {n} + {n} + {n}" if n < 5 else f"answer = 2 * {n} + {n}") for n in range(1, 9)])
STOCK = RecordedTeacher("b", lambda: BANK)


def given(out: Path, split: Path, *known: Path) -> list[tuple[str, str]]:
    """The branch of every new problem, and the row that it is."""
    options = EvolveOptions(per_easy=2, per_hard=2)
    evolve(
        out,
        split=split,
        teacher=NamedTeacher(f"{__name__}:STOCK"),
        options=options,
        round_number=0,
        seed=0,
        used=known,
    )
    return [(p.origin, p.teacher_notes["row"]) for p in read_problems(OffspringFiles(out).problems)]


def test_a_teacher_with_a_stock_gives_out_each_problem_once_in_a_run(split: Path, tmp_path: Path) -> None:
    """Both branches and all rounds draw from one stock, and what is known of a run is all that it needs to know."""
    first = given(tmp_path / "first", split)
    assert first == [("complex", "1"), ("complex", "2"), ("similar", "5"), ("similar", "6")]
    earlier = OffspringFiles(tmp_path / "first").problems
    write_jsonl(tmp_path / "test.jsonl", [Problem("t", "ROW 3  is what?", 9, "test").to_row()])
    second = given(tmp_path / "second", split, earlier, tmp_path / "test.jsonl")
    assert second == [("complex", "4"), ("similar", "7"), ("similar", "8")]
    later = OffspringFiles(tmp_path / "second").problems
    assert given(tmp_path / "third", split, earlier, later, tmp_path / "test.jsonl") == []
    assert read_declined(OffspringFiles(tmp_path / "third").declined) == {
        "complex": {"max_depth": ["deep"], "bank_exhausted": ["easy"]},
        "similar": {"bank_exhausted": ["hard"]},
    }
    assert given(tmp_path / "again", split, earlier, tmp_path / "test.jsonl") == second
    teachers = {p.teacher for p in read_problems(earlier)}
    assert teachers == {"b (bank)"}
