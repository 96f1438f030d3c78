"""Coroutines run to their end from ordinary code, also inside a running event loop such as Jupyter's."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from pathlib import Path

import pytest

from fdd_edge import api
from fdd_edge.event_loop import run_to_end
from fdd_edge.feedback import LABELS, EvolveOptions
from fdd_edge.operations.evolve import evolve
from fdd_edge.operations.teaching import NamedTeacher
from fdd_edge.operations.training_data import first_training_data
from fdd_edge.records import Problem, read_problems, write_jsonl

SOLVED = Problem("p", "Ann has 4 pens and finds 5. How many pens?", 9, "own", program="answer = 4 + 5", pass_rate=0.0)


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


async def fail() -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


def test_without_a_loop_it_runs_in_this_thread() -> None:
    async def thread() -> int:
        return threading.get_ident()

    assert run_to_end(double(4)) == 8
    assert run_to_end(thread()) == threading.get_ident()
    with pytest.raises(ValueError, match="no"):
        run_to_end(fail())


def test_inside_a_running_loop_it_runs_too() -> None:
    async def cell() -> list[int]:
        return [run_to_end(double(4)), run_to_end(double(5)), await double(6)]

    assert asyncio.run(cell()) == [8, 10, 12]


def test_inside_a_running_loop_an_error_reaches_the_caller() -> None:
    async def cell() -> None:
        with pytest.raises(ValueError, match="no"):
            run_to_end(fail())

    asyncio.run(cell())


def test_a_loop_that_is_running_stays_as_it_was() -> None:
    """Neither its tasks nor its context variables are disturbed."""
    number: contextvars.ContextVar[int] = contextvars.ContextVar("number")

    async def cell() -> tuple[int, int]:
        number.set(3)
        waiting = asyncio.create_task(double(7))
        run_to_end(double(1))
        return await waiting, number.get()

    assert asyncio.run(cell()) == (14, 3)


@pytest.fixture
def split(tmp_path: Path) -> Path:
    for label in LABELS:
        write_jsonl(tmp_path / "split" / f"{label}.jsonl", [SOLVED.to_row()] if label == "hard" else [])
    return tmp_path / "split"


def test_evolve_works_inside_a_running_loop(split: Path, tmp_path: Path) -> None:
    """In Jupyter it ended in asyncio's own error, after all the work before it."""

    async def cell() -> None:
        evolve(
            tmp_path / "in",
            split=split,
            teacher=NamedTeacher("symbolic"),
            options=EvolveOptions(),
            round_number=0,
            seed=0,
        )
        result = api.evolve(split, tmp_path / "api")
        assert result.evolved == {"complex": 0, "similar": 1}

    asyncio.run(cell())
    evolve(
        tmp_path / "out", split=split, teacher=NamedTeacher("symbolic"), options=EvolveOptions(), round_number=0, seed=0
    )
    made = [(tmp_path / name / "problems.jsonl").read_bytes() for name in ("in", "api", "out")]
    assert made[0] == made[1] == made[2] != b""


def test_missing_programs_are_written_inside_a_running_loop(tmp_path: Path) -> None:
    noted = Problem("n", "Bo sold 6 maps and 3 more. How many?", 9, "gsm8k", solution="6+3 = <<6+3=9>>9 maps.\n#### 9")
    write_jsonl(tmp_path / "seed.jsonl", [noted.to_row()])

    async def cell() -> None:
        first_training_data(
            tmp_path / "data",
            seed_problems=tmp_path / "seed.jsonl",
            protected={},
            teachers=[NamedTeacher("annotated")],
            fresh=False,
            style="terse",
            seed=0,
        )

    asyncio.run(cell())
    (problem,) = read_problems(tmp_path / "data" / "train.jsonl")
    assert (problem.program, problem.teacher) == ("answer = 6 + 3", "annotated")
