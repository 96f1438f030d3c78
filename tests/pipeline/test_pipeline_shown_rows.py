"""Looking at replies: which evaluations a path holds, which rows are shown, and which belong to the same problem."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from commands import fdd_edge
from kept import PROBLEMS, evaluation, made_run

from fdd_edge import api
from fdd_edge.errors import FddError
from fdd_edge.records import write_jsonl


def test_rows_of_an_evaluation_are_shown_with_their_problems(tmp_path: Path) -> None:
    found = fdd_edge("rows", evaluation(tmp_path / "a", [2, 0, None, 8]), "--verdict", "wrong", "--verdict", "error")
    assert found.returncode == 0, found.stderr
    assert found.stdout == (
        "a.gguf: 2 of 4 replies\n\nmine\n\n"
        "p2: wrong\nquestion  What is 2 + 2?\nexpected  4\nprogram   x = 0\n          answer = x\nanswer    0\n\n"
        "p3: error\nquestion  What is 3 + 3?\nexpected  6\nprogram   x = None\n          answer = x\n"
        "answer    no answer: the program failed while running (line 1: x is not\n          defined).\n"
    )


def test_rows_of_a_run_of_an_earlier_version_have_their_problems(tmp_path: Path) -> None:
    """Its rows hold ids alone; the run still has the problems."""
    found = api.rows(made_run(tmp_path / "run", rounds=2))
    assert found.artifact == "round-01 gguf-q4_0"
    assert [row.dataset for row in found.rows] == ["valid"] * 4 + ["held"] * 4
    assert [row.reply.question for row in found.rows[:4]] == [p.question for p in PROBLEMS]
    assert [row.reply.gold for row in found.rows[:4]] == [2, 4, 6, 8]


def test_labels_are_those_of_the_round(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    (row,) = api.rows(run, label="lost").rows
    assert (row.reply.problem_id, row.label, row.reply.question) == ("p2", "lost", "What is 2 + 2?")
    assert [r.reply.problem_id for r in api.rows(run / "round-00", label="hard", n=1).rows] == ["p3"]
    shown = fdd_edge("rows", run, "--label", "hard", "--n", 1).stdout
    assert "round-00 gguf-q4_0: 2 of 4 replies" in shown
    assert "p3: error, labelled hard" in shown
    assert "1 more; see them without --n, or with a larger one" in shown
    lost = api.rows(run, label="lost", against=run / "round-00/eval/local/gguf-f32/non-easy").rows[0]
    assert lost.against is not None
    assert (lost.reply.verdict, lost.against.verdict) == ("wrong", "correct")


def test_two_evaluations_stand_side_by_side(tmp_path: Path) -> None:
    first, second = evaluation(tmp_path / "a", [2, 0, 6, 8]), evaluation(tmp_path / "b", [2, 4, 6, 8], name="other")
    shown = fdd_edge("rows", first, "--against", second, "--verdict", "wrong").stdout
    assert shown == (
        "a.gguf (left) and b.gguf (right): 1 of 4 replies\n\nmine\n\n"
        "p2: wrong and correct\nquestion  What is 2 + 2?\nexpected  4\n"
        "replies   x = 0                             | x = 4\n"
        "          answer = x                        | answer = x\n"
        "answers   0                                 | 4\n"
    )
    printed = json.loads(fdd_edge("rows", first, "--against", second, "--n", 1, "--json").stdout)
    assert (printed["found"], printed["total"], len(printed["rows"])) == (4, 4, 1)
    assert printed["rows"][0]["against"]["answer"] == 2


def test_folders_of_evaluations_are_read_together(tmp_path: Path) -> None:
    evaluation(tmp_path / "out" / "x", [2, 0, 6, 8], name="x")
    evaluation(tmp_path / "out" / "y", [2, 0, 6, 8], name="y")
    assert [row.dataset for row in api.rows(tmp_path / "out", verdict="wrong").rows] == ["x", "y"]
    assert [row.dataset for row in api.rows(tmp_path / "out", verdict="wrong", dataset="y").rows] == ["y"]


def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    page, unfinished = tmp_path / "page.html", made_run(tmp_path / "unfinished", finished=False)
    page.write_text("<html>")
    plain = evaluation(tmp_path / "a", [2, 0, 6, 8])
    html = evaluation(tmp_path / "html", [2, 0, 6, 8])
    (html / "rows.jsonl").write_text("<html><body>Not found</body></html>\n")
    for arguments, said in (
        ((page,), f"{page} is not a folder; name a run, a round, or a folder that fdd-edge eval -o wrote."),
        ((html,), f"{html}/rows.jsonl:1 is not valid JSON: Expecting value: line 1 column 1 (char 0)."),
        ((tmp_path / "none",), f"{tmp_path}/none does not exist; name a run, a round, or a folder that"),
        ((unfinished,), f"{unfinished} has no finished round yet; finish one with: fdd-edge run {unfinished}"),
        ((unfinished / "round-00",), f"round-00 is not finished yet; finish it with: fdd-edge run {unfinished}"),
        ((plain, "--label", "lost"), "are labelled: labels are those of a run's rounds (set 'pool')."),
        ((plain, "--label", "lots"), "label must be one of easy, hard, borderline, format, lost, not 'lots'."),
        ((plain, "--set", "mind"), f"{plain} has no set 'mind'; it has mine. Did you mean 'mine'?"),
    ):
        ran = fdd_edge("rows", *arguments)
        assert (ran.returncode, ran.stderr.count("\n")) == (2, 1), ran
        assert said in ran.stderr


@pytest.mark.parametrize("damage", ["summary.json", "timing.json"])
def test_a_damaged_summary_is_one_sentence(tmp_path: Path, damage: str) -> None:
    folder = evaluation(tmp_path / "a", [2, 0, 6, 8])
    (folder / damage).write_text("<html>")
    with pytest.raises(FddError, match=r"a is not an evaluation \(.*\); evaluate again"):
        api.rows(folder)


def test_other_problems_under_the_same_ids_are_refused(tmp_path: Path) -> None:
    """Two data sets may both call their first problem 1."""
    first, second = evaluation(tmp_path / "a", [2, 0, 6, 8]), evaluation(tmp_path / "b", [2, 4, 6, 8])
    rows = [json.loads(line) for line in (second / "rows.jsonl").read_text().splitlines()]
    for change in ({"question": "What is 1 + 7?"}, {"gold": 3}):
        write_jsonl(second / "rows.jsonl", [rows[0] | change, *rows[1:]])
        with pytest.raises(FddError, match="do not have the same problems: 'p1' is another question, or has another"):
            api.rows(first, against=second)
    write_jsonl(second / "rows.jsonl", [row | {"problem_id": f"q{i}"} for i, row in enumerate(rows)])
    with pytest.raises(FddError, match=r"a and .*b have no problem in common; evaluate both on the same file"):
        api.rows(first, against=second)


def test_what_is_longer_than_the_terminal_goes_to_the_pager(tmp_path: Path) -> None:
    """A pager reads past the guard of stdout, and `less -R` passes control characters on."""
    folder = evaluation(tmp_path / "a", [2, 0, 6, 8])
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    write_jsonl(folder / "rows.jsonl", [rows[0] | {"question": "\x1b]0;PWNED\x07"}, *rows[1:]])
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho PAGED\ncat\n")
    pager.chmod(0o755)
    own, theirs = pty.openpty()
    command = [sys.executable, "-m", "fdd_edge", "rows", str(folder)]
    size = {"PAGER": str(pager), "COLUMNS": "80", "LINES": "10"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | size)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the terminal is gone when the process has ended
        while piece := os.read(own, 4096):
            shown += piece
    os.close(own)
    assert process.wait() == 0
    assert shown.startswith(b"PAGED\r\n")
    assert b"\\x1b]0;PWNED\\x07" in shown
    assert b"\x1b" not in shown


@pytest.mark.parametrize("verdict", ["correct", "wrong", None])
def test_a_row_that_was_changed_is_shown(tmp_path: Path, verdict: str | None) -> None:
    """A verdict without the answer that it is about ended in a KeyError."""
    folder = evaluation(tmp_path / "a", [2, 0, 6, 8])
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    write_jsonl(folder / "rows.jsonl", [rows[0] | {"answer": None, "verdict": verdict}])
    assert "none, although the verdict says otherwise" in fdd_edge("rows", folder).stdout


def test_a_long_reply_is_cut(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "a", [2, 0, 6, 8])
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    write_jsonl(folder / "rows.jsonl", [rows[0] | {"program": None, "text": "again\n" * 1000}])
    shown = fdd_edge("rows", folder).stdout
    assert "... 960 more lines" in shown
    assert shown.count("again") == 40


def test_an_empty_file_of_rows_is_one_sentence(tmp_path: Path) -> None:
    """It said "0 replies", as if that were what the artifact had answered."""
    folder = evaluation(tmp_path / "empty", [2, 4, 6, 8])
    (folder / "rows.jsonl").write_text("")
    ran = fdd_edge("rows", folder)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"Error: {folder} holds no reply: its file of rows is empty. Evaluate again, or restore that file.\n"
    )


def test_questions_that_are_only_shown_are_rows_if_they_are_asked_for(tmp_path: Path) -> None:
    """They stood among the replies of the reported sets, which ask some of them again."""
    folder = made_run(tmp_path / "run") / "untuned" / "eval" / "local" / "gguf-q4_0"
    for name in ("held", "shown-questions"):
        evaluation(folder / name, [2, 0, 6, 8])
    assert {row.dataset for row in api.rows(folder).rows} == {"held"}
    assert {row.dataset for row in api.rows(folder, dataset="shown-questions").rows} == {"shown-questions"}
    assert api.rows(folder / "shown-questions").total == 4
