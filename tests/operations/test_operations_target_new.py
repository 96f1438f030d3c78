"""``feedback.target_new``: the teacher is asked until enough new problems passed curation, and no further."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fault_server import serve
from teaching_server import written

from fdd_edge.curation import curate
from fdd_edge.errors import WaitingError
from fdd_edge.feedback import LABELS, EvolveOptions
from fdd_edge.operations.curate import curate_offspring
from fdd_edge.operations.evolve import evolve, read_declined
from fdd_edge.operations.teaching import Calls, NamedTeacher
from fdd_edge.records import Problem, read_problems, write_jsonl
from fdd_edge.runs.stage_files import CuratedFiles, OffspringFiles
from fdd_edge.teachers import Declined, Draft
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions
from fdd_edge.teachers.recorded import Bank, RecordedTeacher
from fdd_edge.teachers.symbolic import generate

SEEDS = generate("train", 30, seed=5)


class Parrot:
    """Writes the same problem for every parent: only the first one is accepted."""

    name = "parrot"
    writes_problems = True

    async def rationale(self, problems: Sequence[Problem]) -> list[Declined]:
        return [Declined(problem.id, self.name, "parrot") for problem in problems]

    async def complexify(self, problems: Sequence[Problem], *, per_problem: int, seed: int) -> list[list[Draft]]:
        draft = Draft("Polly has 2 nuts and gets 3 more. How many nuts has she?", "answer = 2 + 3", 5)
        return [[draft] * per_problem for _ in problems]

    similar = complexify


class Refuses(Parrot):
    """Declines every parent."""

    asked_about: ClassVar[Counter[str]] = Counter()

    async def similar(  # type: ignore[override]
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[Declined]:
        Refuses.asked_about.update(problem.id for problem in problems)
        return [Declined(problem.id, self.name, "will_not") for problem in problems]

    complexify = similar  # type: ignore[assignment]


@pytest.fixture
def train(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "train.jsonl", (problem.to_row() for problem in SEEDS))
    return tmp_path / "train.jsonl"


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """A split of ten easy and twenty hard problems."""
    for label in LABELS:
        own = {"easy": SEEDS[:10], "hard": SEEDS[10:]}.get(label, [])
        rows = (Problem.from_row({**problem.to_row(), "pass_rate": 1.0}).to_row() for problem in own)
        write_jsonl(tmp_path / "split" / f"{label}.jsonl", rows)
    return tmp_path / "split"


def write(out: Path, split: Path, train: Path, teacher: NamedTeacher, **options: Any) -> list[Problem]:
    evolve(
        out,
        split=split,
        teacher=teacher,
        options=EvolveOptions(**options),
        round_number=0,
        seed=0,
        used=[train],
        known=[train],
        protected={"valid": train},
    )
    return read_problems(OffspringFiles(out).problems)


def accepted(tmp_path: Path, out: Path, train: Path) -> list[Problem]:
    evolved = OffspringFiles(out).problems
    curate_offspring(
        tmp_path / "curated",
        evolved=evolved,
        known=[train],
        protected={"valid": train},
        max_new=None,
        style="as_written",
        seed=0,
    )
    return read_problems(CuratedFiles(tmp_path / "curated").accepted)


@pytest.mark.parametrize("target", [5, 50])
def test_the_teacher_writes_until_enough_passed_curation(tmp_path: Path, split: Path, train: Path, target: int) -> None:
    """50 are more than there are parents, so that some are asked more than once."""
    problems = write(tmp_path / "out", split, train, NamedTeacher("symbolic"), target_new=target)
    assert target <= len(accepted(tmp_path, tmp_path / "out", train)) < target + 8
    assert len({problem.id for problem in problems}) == len(problems)
    origins = Counter(problem.origin for problem in problems)
    assert 1.5 < origins["similar"] / origins["complex"] < 3
    assert write(tmp_path / "again", split, train, NamedTeacher("symbolic"), target_new=target) == problems


def test_no_more_than_max_candidates_are_asked_for(
    tmp_path: Path, split: Path, train: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parrot = NamedTeacher(f"{__name__}:Parrot")
    problems = write(tmp_path / "out", split, train, parrot, target_new=5, max_candidates=33, per_hard=2)
    assert 32 <= len(problems) <= 33
    kept = len(curate(problems, known=SEEDS, protected={}).kept)
    assert kept <= 1
    assert (
        f"{kept} of feedback.target_new 5 new problems passed curation: "
        f"{len(problems)} were asked for, the most that feedback.max_candidates allows." in capsys.readouterr().err
    )


def test_ten_candidates_a_problem_are_asked_for_if_nothing_else_is_said(
    tmp_path: Path, split: Path, train: Path
) -> None:
    assert len(write(tmp_path / "out", split, train, NamedTeacher(f"{__name__}:Parrot"), target_new=5)) == 50


def test_a_teacher_that_writes_nothing_is_asked_about_each_parent_once(
    tmp_path: Path, split: Path, train: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Refuses.asked_about.clear()
    assert write(tmp_path / "out", split, train, NamedTeacher(f"{__name__}:Refuses"), target_new=5) == []
    assert Refuses.asked_about == Counter({problem.id: 1 for problem in SEEDS})
    declined = read_declined(OffspringFiles(tmp_path / "out").declined)
    assert {branch: len(reasons["will_not"]) for branch, reasons in declined.items()} == {"complex": 10, "similar": 20}
    assert "30 were asked for, and the teacher wrote no more." in capsys.readouterr().err


def test_a_parent_that_got_a_problem_later_was_not_declined(tmp_path: Path, split: Path, train: Path) -> None:
    write(tmp_path / "out", split, train, NamedTeacher("symbolic"), target_new=60)
    problems = read_problems(OffspringFiles(tmp_path / "out").problems)
    declined = read_declined(OffspringFiles(tmp_path / "out").declined)
    names = {name for reasons in declined.values() for ids in reasons.values() for name in ids}
    assert not names & {problem.parent_id for problem in problems}


BANK = Bank([Problem(f"b-{n}", f"Row {n} is what?", 3 * n, "b", f"answer = {n} + {2 * n}", n_ops=1) for n in range(40)])
STOCK = RecordedTeacher("b", lambda: BANK)


def test_every_row_of_a_bank_is_given_out_once_over_all_waves(tmp_path: Path, split: Path, train: Path) -> None:
    problems = write(tmp_path / "out", split, train, NamedTeacher(f"{__name__}:STOCK"), target_new=60)
    rows = [problem.teacher_notes["row"] for problem in problems]
    assert len(rows) == len(set(rows)) > 0


def endpoint(url: str, tmp_path: Path, **more: str) -> NamedTeacher:
    options = EndpointOptions(url, "tiny", **more)  # type: ignore[arg-type]
    return NamedTeacher("mini", options, calls=Calls("run", tmp_path / "calls.sqlite", batches=tmp_path / "batches"))


def test_every_wave_asks_a_language_model_for_other_draws(tmp_path: Path, split: Path, train: Path) -> None:
    """The same draw again would bring the same reply: nothing would be new, and nothing would be paid."""
    with serve(reply=written) as server:
        teacher = endpoint(server.url, tmp_path)
        problems = write(tmp_path / "out", split, train, teacher, target_new=25)
        assert teacher.calls is not None
        rows = teacher.calls.rows(0)
        assert len(rows) == len(problems) == len(server.asked) > 30
        assert len({(row.purpose, row.problem_id, row.draw) for row in rows}) == len(rows)
        assert {row.draw for row in rows} >= {0, 1}
        assert write(tmp_path / "again", split, train, teacher, target_new=25) == problems
        assert len(server.asked) == len(rows)


def test_a_wave_of_a_batch_waits_for_both_branches_at_the_same_time(tmp_path: Path, split: Path, train: Path) -> None:
    with pytest.raises(WaitingError) as waits:
        teacher = endpoint("http://127.0.0.1:9", tmp_path, batch="file")
        write(tmp_path / "out", split, train, teacher, target_new=6)
    assert [line.split()[0] for line in str(waits.value).splitlines() if "wait for" in line] == ["2", "4"]


def test_without_parents_there_is_nothing_to_wait_for(
    tmp_path: Path, split: Path, train: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    symbolic = NamedTeacher("symbolic")
    assert write(tmp_path / "out", split, train, symbolic, target_new=5, per_easy=0, per_hard=0) == []
    assert "no labelled problem may evolve" in capsys.readouterr().err
