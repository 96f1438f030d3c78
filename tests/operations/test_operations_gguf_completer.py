"""A model file as a teacher: decoded by our own runner, kept in the ledger at no cost, and never decoded twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

import pytest

from fdd_edge.operations import gguf_completer
from fdd_edge.operations.teaching import Calls, NamedTeacher
from fdd_edge.records import Problem
from fdd_edge.teachers import Declined, Rationale
from fdd_edge.teachers.language_model.teacher_options import GgufOptions
from fdd_edge.teachers.language_model.teacher_prompts import TeacherPrompts, read_prompts
from fdd_edge.teachers.ledger._schema import connect
from fdd_edge.teachers.ledger.ledger_rows import rows_of_run

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

SHORT = TeacherPrompts({**read_prompts().texts, "system": "", "program": "", "rationale": "{question}"})
"""The tiny model has a context of 256 tokens, most of which are one byte."""

PROBLEMS = [Problem(f"p{n}", f"What is {n} and 1?", n + 1, "own") for n in range(3)]


def teacher(model: Path, folder: Path) -> NamedTeacher:
    options = GgufOptions(str(model), max_tokens=16, temperature=0)
    return NamedTeacher("own", options, prompts=SHORT, calls=Calls("run", folder / "calls.sqlite"))


def ask(asked: NamedTeacher, problems: list[Problem] = PROBLEMS) -> list[str | Rationale | Declined]:
    async def run() -> list[str | Rationale | Declined]:
        return list(await asked.open(0).rationale(problems))

    return asyncio.run(run())


def test_what_was_decoded_is_in_the_ledger_and_not_decoded_again(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = ask(teacher(tiny_gguf, tmp_path))
    rows = rows_of_run(tmp_path / "calls.sqlite", "run")
    assert len(results) == len(rows) == 3
    for row in rows:
        assert (row.state, row.cost, row.price_source, row.answered_by) == ("done", 0, "own machine", tiny_gguf.name)
        assert row.input_tokens and row.output_tokens and row.output_tokens <= 16
        assert row.finish_reason in ("stop", "length")
    monkeypatch.setattr(gguf_completer, "open_session", None)
    assert ask(teacher(tiny_gguf, tmp_path)) == results
    assert rows_of_run(tmp_path / "calls.sqlite", "run") == rows


def test_a_prompt_that_does_not_fit_costs_only_itself(tiny_gguf: Path, tmp_path: Path) -> None:
    """It counted as a reply without a program."""
    long = Problem("long", "word " * 200, 200, "own")
    declined, _ = ask(teacher(tiny_gguf, tmp_path), [long, PROBLEMS[0]])
    assert declined == Declined("long", "own", "too_long")
    assert {row.problem_id: row.state for row in rows_of_run(tmp_path / "calls.sqlite", "run")} == {
        "long": "failed",
        "p0": "done",
    }


def test_a_reply_ends_with_its_frame(tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small model goes on with further problems, which took the time of several, and made it several programs."""
    whole = _reply(teacher(tiny_gguf, tmp_path / "whole"))
    assert '"stop":["</program>"]' in whole.body
    end = whole.text[4:6]
    monkeypatch.setattr(gguf_completer, "_STOP", (end,))
    ended = _reply(teacher(tiny_gguf, tmp_path / "ended"))
    assert ended.text == whole.text[: whole.text.index(end)]
    assert ended.tokens < whole.tokens


class _Kept(NamedTuple):
    body: str
    text: str
    tokens: int


def _reply(asked: NamedTeacher) -> _Kept:
    """Ask about one problem, and return what the ledger keeps of it."""
    assert asked.calls is not None
    ask(asked, PROBLEMS[:1])
    connection = connect(asked.calls.ledger)
    try:
        return _Kept(*connection.execute("SELECT body, reply, output_tokens FROM attempts").fetchone())
    finally:
        connection.close()
