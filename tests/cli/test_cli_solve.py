"""Asking a model: from standard input, one question after the other, and what is noted about the answers."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from commands import fdd_edge
from kept import made_run

from fdd_edge import api
from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.pipeline.kept_evaluations import weakness_of
from fdd_edge.results import Solution

SHORT = ("--max-new-tokens", 4, "--answer", "last-number")


def stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


def test_a_question_may_come_from_standard_input(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fdd_edge("solve", tiny_gguf, "What is\n2 + 3?", *SHORT, "--json")
    for words in ((), ("-",)):
        stdin(monkeypatch, b"What is\n2 + 3?\n")
        assert fdd_edge("solve", tiny_gguf, *words, *SHORT, "--json").stdout == asked.stdout


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "The question is empty."), (b"\xff\xfe?", "Standard input is not UTF-8 text.")]
)
def test_what_is_no_question_is_one_sentence(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, said: str
) -> None:
    stdin(monkeypatch, content)
    ran = fdd_edge("solve", tiny_gguf)
    assert (ran.returncode, ran.stderr) == (2, f"Error: {said}\n")


@pytest.mark.parametrize("end", [b"\r", b"\x04"])
def test_a_terminal_is_asked_until_there_is_nothing(tiny_gguf: Path, end: bytes) -> None:
    """The model is loaded once."""
    own, theirs = pty.openpty()
    command = [sys.executable, "-m", "fdd_edge", "solve", str(tiny_gguf), *map(str, SHORT), "--json"]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, start_new_session=True, env=os.environ
    )
    os.close(theirs)
    os.write(own, b"What is 2 + 3?\rWhat is 4?\r" + end)
    assert process.stdout is not None
    printed = process.stdout.read().decode()
    said = b""
    with suppress(OSError):  # the terminal is gone when the process has ended
        while piece := os.read(own, 4096):
            said += piece
    os.close(own)
    assert process.wait() == 0
    assert len([json.loads(line) for line in printed.splitlines()]) == 2
    assert b"Ask one question per line; an empty line ends." in said
    assert b"Interrupted" not in said


def test_an_interrupt_at_the_prompt_is_not_the_end_of_the_input(tiny_gguf: Path) -> None:
    """It ended with code 0, as if nothing more was to be asked."""
    own, theirs = pty.openpty()
    command = [sys.executable, "-m", "fdd_edge", "solve", str(tiny_gguf), *map(str, SHORT)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    said = b""
    while b"question" not in said.partition(b"an empty line ends.")[2]:
        said += os.read(own, 4096)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    os.close(own)


def test_notes_are_printed_below_the_answer(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = Completion("p", 0, "x", "answer = 7 * 8", 56, None, 1, 1, "0" * 16)
    solution = Solution.of([reply], "What is 2 + 3?", max_new_tokens=200)
    monkeypatch.setattr(api, "solve", lambda *given, **options: solution)
    ran = fdd_edge("solve", tiny_gguf, "What is 2 + 3?")
    assert ran.stdout.splitlines()[-3:] == [
        "answer: 56",
        "Note: The program uses none of the numbers in the question, so its answer may be",
        "a guess.",
    ]
    assert solution.to_dict()["notes"] == list(solution.notes)
    assert "note" in solution._repr_html_()


def test_a_cut_reply_names_the_option_that_helps() -> None:
    reply = Completion("p", 0, "so", None, None, Verdict.unfinished, 1, 200, "0" * 16)
    assert Solution.of([reply], "How many?", max_new_tokens=200).notes == [
        "The limit was 200 tokens; try --max-new-tokens 400."
    ]


def test_a_reply_that_filled_the_context_is_not_told_to_have_more_tokens() -> None:
    """The limit was said to be reached, and twice as many tokens advised."""
    reply = Completion("p", 0, "so", None, None, Verdict.unfinished, 212, 44, "0" * 16)
    assert Solution.of([reply], "How many?", max_new_tokens=200).notes == [
        "Prompt and reply filled the model's context of 256 tokens; only a shorter prompt helps."
    ]


@pytest.mark.parametrize(("right", "warned"), [(1, True), (2, False)])
def test_a_run_that_solved_next_to_nothing_is_named(tmp_path: Path, right: int, warned: bool) -> None:
    """Its answers are noise, which only its table of weeks ago had said."""
    run = made_run(tmp_path / "run")
    folder = run / "round-00/eval/local/gguf-q4_0/valid"
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"n": 30, "correct": right, "accuracy": right / 30}))
    said = weakness_of(run)
    assert (said is not None) == warned
    if warned:
        assert (
            said == f"{run} solved 1 of 30 validation problems when it was trained, so most of its answers are wrong."
        )
    assert weakness_of(tmp_path) is None
