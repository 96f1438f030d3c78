"""Text of strangers in every command's output: brackets are text, and nothing steers the terminal."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import conftest
import pytest
from commands import fdd_edge, fdd_edge_process
from conftest import byte_alphabet, tiny_vocabulary, write_tiny_gguf
from reported import made_run, with_text
from rich.table import Table
from shared import Shared

import fdd_edge as package
from fdd_edge.cli import COMMANDS
from fdd_edge.cli.rich_table import Name, print_table
from fdd_edge.cli.tables import print_artifacts, print_certificate
from fdd_edge.ondevice import runner_commands
from fdd_edge.parity import Certificate, Item
from fdd_edge.parity_bounds import Bounds
from fdd_edge.progress import progress, show_on_stderr
from fdd_edge.runs import RunLayout
from fdd_edge.runs.stage_files import OffspringFiles
from fdd_edge.teachers.ledger.ledger_rows import LedgerRow, write_copy
from fdd_edge.terminal import guard

EVIL = "[/]\x1b]0;PWNED\x07\x1b[2J\x9b31m\r\b\x7f\u202eevil[bold]"
FILE = EVIL.replace("/", "")
"""The same as a name of a file."""

LONE = "\udcff"
"""What Python reads a byte of a file name as that is not UTF-8."""


BOUNDS = Bounds(tensors=1, logits_median=1, logits_p99=1, kl_mean=1, greedy=1, stops=1, clear_lead=0)


def steering(text: str) -> set[str]:
    """Return the characters of a text that steer a terminal, or that it cannot print."""
    return {c for c in text if not c.isprintable() and c not in "\n\t"}


class Places(NamedTuple):
    """Files of a stranger."""

    model: Path
    data: Path
    out: Path


@pytest.fixture
def places(shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A model whose replies and metadata steer the terminal, a data set whose ids do, and names of files that do."""

    def make(out: Path) -> None:
        escape = byte_alphabet()[0x1B]
        tokens, merges = tiny_vocabulary()
        written = [f"{escape}]0;{token}" if token.isascii() and token.isalpha() else token for token in tokens]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(conftest, "tiny_vocabulary", lambda: (written, [merge for merge in merges if "Ġ =" in merge]))
            patch.setattr(conftest, "_weights", lambda given, rng, weights=conftest._weights: weights(tokens, rng))
            write_tiny_gguf(out / "model.gguf")

    folder = tmp_path / FILE
    folder.mkdir()
    model = folder / f"{LONE}{FILE}.gguf"
    model.write_bytes((shared.folder("escaping-gguf", make) / "model.gguf").read_bytes())
    data = folder / f"{FILE}.jsonl"
    rows = [
        {"id": EVIL, "question": "What is red?", "answer": "blood"},
        {"id": f"a{EVIL}", "question": "What is 2 + 3?", "answer": 5, "program": "answer = 2 + 3"},
        {"id": f"b{EVIL}", "question": "What is 4 + 3?", "answer": 7, "program": f"answer = {EVIL}"},
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setenv("FDD_EDGE_CACHE", str(folder / "cache"))
    return Places(model, data, folder / "out")


def called_run(places: Places) -> Path:
    """Return the folder of a run that came with calls to a stranger's model."""
    run = RunLayout(places.out / "run")
    files = OffspringFiles(run.round(0).offspring)
    files.root.mkdir(parents=True)
    run.config.write_text("student: {}\n")
    row = LedgerRow(1, "key", "sent", False, 0, EVIL, EVIL, EVIL, 0, EVIL, EVIL, EVIL, cost=1.0)
    write_copy(files.calls, [row, replace(row, id=2, state="done")])
    return run.root


def hostile_run(places: Places) -> Path:
    """Return the folder of a run whose manifest names stages, options and files as a stranger likes."""
    run = RunLayout(places.out / "hostile")
    run.root.mkdir(parents=True, exist_ok=True)
    run.config.write_text("student: {}\n")
    recipe = {"name": EVIL, "family": EVIL}
    stage = {"fingerprint": EVIL, "version": 1, "options": {"recipe": recipe}, "inputs": {EVIL: EVIL}}
    stage |= {"output_sha256": EVIL, "seconds": 0, "pruned": True, "files": [EVIL.replace("/", "")]}
    stages = {f"round-00/artifacts/{FILE}\n{FILE}": stage, EVIL: stage | {"pruned": False}}
    run.manifest.write_text(json.dumps({"fdd_edge": EVIL, "format": 2, "facts": {}, "stages": stages}))
    return run.root


def answers_of(places: Places) -> Path:
    """Return the folder of an evaluation of the data set."""
    fdd_edge("eval", places.model, "--data", places.data, "--max-new-tokens", 2, "-o", places.out / "answers")
    return places.out / "answers"


def other_answers_of(places: Places) -> Path:
    """Return the folder of the same evaluation in which every answer is right."""
    folder = Path(shutil.copytree(places.out / "answers", places.out / FILE))
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row | {'verdict': 'correct'})}\n" for row in rows))
    summary = json.loads((folder / "summary.json").read_text())
    summary["settings"] = {EVIL: EVIL}
    (folder / "summary.json").write_text(json.dumps(summary | {"artifact": {"name": EVIL}}))
    return folder


def split_of(places: Places) -> Path:
    """Return the folder of a split of the data set."""
    fdd_edge("split", places.data, answers_of(places), "-o", places.out / "split")
    return places.out / "split"


Lines = list[list[object]]

COMMAND_LINES: dict[str, Callable[[Places], Lines]] = {
    "run": lambda p: [["run", p.data], ["run", "smoke", "--set", f"a{EVIL}=1", "--set", f"rounds={EVIL}"]],
    "init": lambda p: [["init", p.out / "new.yaml", "--train", EVIL, "-y"], ["init", EVIL, "--recipe", EVIL, "-y"]],
    "validate": lambda p: [["validate", p.data], ["validate", "smoke", "--set", f"a{EVIL}=1"]],
    "plan": lambda p: [["plan", p.data], ["plan", "smoke", "--set", f"a{EVIL}=1", "--set", f"rounds={EVIL}"]],
    "train": lambda p: [
        ["train", "smoke", "--data", f"{p.data}{LONE}", "-o", p.out],
        ["train", EVIL, "--data", p.data, "-o", EVIL],
    ],
    "export": lambda p: [
        ["export", p.model, "-r", EVIL, "-o", p.out],
        ["export", FILE, "-r", "gguf-q8_0", "-o", p.out],
    ],
    "parity": lambda p: [
        ["parity", p.model, "--reference", p.out / "none"],
        ["parity", p.model, "--reference", p.model, "--target", EVIL],
    ],
    "eval": lambda p: [
        ["eval", p.model, "--data", p.data, "--max-new-tokens", 2],
        ["eval", p.model, "--data", p.data, "--max-new-tokens", 2, "-o", p.out / "kept"],
        ["eval", p.model, "--data", p.data, "--limit", EVIL],
        ["eval", p.model, "--data", f"{p.data}{LONE}"],
        ["eval", p.model, "--data", p.data, f"--{EVIL}"],
    ],
    "verify": lambda p: [
        ["verify", called_run(p)],
        ["verify", p.model.parent],
        ["verify", hostile_run(p)],
        ["verify", EVIL, "--reference", EVIL],
    ],
    "rows": lambda p: [
        ["rows", answers_of(p)],
        ["rows", p.out / "answers", "--against", p.out / "answers", "--n", 1],
        ["rows", p.out / "answers", "--set", EVIL],
        ["rows", EVIL],
    ],
    "compare": lambda p: [
        ["compare", answers_of(p), p.out / "answers", "--flips"],
        ["compare", p.out / "answers", other_answers_of(p), "--flips"],
        ["compare", p.out / "answers", EVIL],
    ],
    "report": lambda p: [
        ["report", made_run(p.out / FILE, with_text(EVIL)), "-o", p.out / f"{FILE}.html"],
        ["report", p.out / FILE, "-o", p.out / f"{FILE}.md", "--json"],
        ["report", called_run(p), "-o", p.out / "report.html"],
        ["report", EVIL, "-o", p.out / "report.html"],
        ["report", p.out / FILE, "-o", EVIL, "--format", EVIL],
    ],
    "split": lambda p: [["split", p.data, split_of(p).with_name("answers"), "-o", p.out / "again"]],
    "evolve": lambda p: [
        ["evolve", split_of(p), "-o", p.out / "evolved"],
        ["evolve", p.out, "-o", p.out / "x", "--teacher", EVIL],
    ],
    "solve": lambda p: [["solve", p.model, EVIL, "--max-new-tokens", 4], ["solve", p.model, "?", "--prompt", EVIL]],
    "ledger": lambda p: [["ledger", called_run(p)], ["ledger", EVIL], ["ledger", "import", EVIL]],
    "bench": lambda p: [["bench", p.model, "--threads", 1], ["bench", p.model, "--target", EVIL]],
    "targets": lambda p: [["targets", name, EVIL] for name in ("create", "clean", "setup")],
    "doctor": lambda p: [["doctor"], ["doctor", "--target", EVIL]],
    "cache": lambda p: [["cache"], ["cache", "--clean", "--yes"]],
    "ls": lambda p: [
        ["ls", EVIL],
        [EVIL],
        ["ls", "runs", EVIL],
        ["ls", "runs", called_run(p).parent],
        ["ls", EVIL, EVIL],
    ],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_sends_control_characters(command: str, places: Places) -> None:
    """An id set the terminal's title, and `[/]` as an id lost the report of a whole evaluation in a MarkupError."""
    shown = ""
    for line in COMMAND_LINES[command](places):
        ran = fdd_edge(*line)
        said = ran.stdout + ran.stderr
        assert steering(said) == set(), ran
        assert "Traceback" not in said
        shown += said
    assert "\\x1b" in shown, "none of this mentions a stranger's text"


def test_brackets_and_escapes_of_a_data_set_are_shown(places: Places) -> None:
    ran = fdd_edge("eval", places.model, "--data", places.data, "--max-new-tokens", 2)
    assert ran.returncode == 0, ran.stderr
    assert "skipped 1 item without a numeric answer:" in " ".join(ran.stdout.split())
    assert "[/]\\x1b]0;PWNED\\x07\\x1b[2J\\x9b31m\\x0d\\x08\\x7f\\u202eevil[bold]" in ran.stdout


def test_a_reply_is_shown_as_it_is_but_for_escapes(places: Places) -> None:
    ran = fdd_edge("solve", places.model, "What is 2 + 3?", "--max-new-tokens", 12)
    assert ran.stdout.startswith(("\\x1b]0;", " ")) or "\\x1b]0;" in ran.stdout
    assert json.loads(fdd_edge("solve", places.model, "2 + 3?", "--max-new-tokens", 12, "--json").stdout)["text"]


def test_a_board_shows_escapes_too(places: Places, capfd: pytest.CaptureFixture[str]) -> None:
    """`runner.pyz solve` is used by people, on a terminal of the board."""
    stdout = os.dup(1)
    try:
        runner_commands.main(["solve", str(places.model), "What is 2 + 3?", "--max-new-tokens", "12"])
        runner_commands.main(["solve", str(places.model.with_name(FILE)), "What is 2 + 3?"])
    finally:
        os.dup2(stdout, 1)  # the command keeps it for itself
        os.close(stdout)
    printed = capfd.readouterr()
    assert "\\x1b]0;" in printed.out
    assert steering(printed.out + printed.err) == set()


class Terminal(io.StringIO):
    """A terminal that keeps what it is sent."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def to_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in the place of stdout and stderr."""
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def test_a_bar_shows_a_title_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its title is a file's name: markup in it was an error of rich, or vanished."""
    terminal = to_terminal(monkeypatch)
    show_on_stderr()
    with progress(f"{EVIL}\nfaked", 2) as advance:
        sys.stderr.write("a library's message \x1b]0;PWNED\x07\n")
        advance(2)
    shown = terminal.getvalue()
    assert "[/]\\x1b]0;PWNED\\x07\\x1b[2J" in shown
    assert "evil[bold]\\nfaked" in shown
    assert "message \\x1b]0;PWNED\\x07" in shown
    assert "\x1b]" not in shown
    assert "\x9b" not in shown


def test_a_bar_inside_another_one_draws_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = to_terminal(monkeypatch)
    sys.stderr = guard(sys.stderr, needed=False)
    show_on_stderr()
    with progress("outer", 2) as outer:
        with progress("inner", 3) as inner:
            inner(3)
        outer(2)
    assert "3/3" in terminal.getvalue()
    assert "\\x1b" not in terminal.getvalue()
    assert "\x1b[" in terminal.getvalue()


def test_cells_of_tables_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = to_terminal(monkeypatch)
    table = Table(EVIL, title=EVIL)
    for cell in (EVIL, Name(EVIL), "[/]", ":smile:", LONE):
        table.add_row(cell)
    print_table(table)
    shown = terminal.getvalue()
    assert shown.count("[/]\\x1b]0;PWNED") == 4
    assert ":smile:" in shown
    assert "\\udcff" in shown
    assert "\x1b]" not in shown


def test_tables_of_our_own_show_names_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card and a certificate come from files, which may be a stranger's."""
    terminal = to_terminal(monkeypatch)
    sys.stdout = guard(sys.stdout, needed=True)
    card = {"recipe": EVIL, "bytes": 1, "bits_per_weight": 4.5, "types": {EVIL: 2}, "path": EVIL, "fallbacks": []}
    print_artifacts([card])
    items = (Item(EVIL, False, f"{EVIL}: {EVIL}", {"n": 0}), Item(EVIL, True, EVIL, {}))
    print_certificate(Certificate({"recipe": EVIL}, {"name": EVIL}, {}, {"answered": 1}, BOUNDS, items))
    shown = terminal.getvalue()
    assert shown.count("[/]\\x1b]0;") == 10
    assert "\x1b]" not in shown


def test_results_show_names_as_text() -> None:
    """In a notebook, a bidirectional override turns round what follows, and a lone surrogate cannot be sent."""
    result = package.SplitResult(Path(f"{EVIL}{LONE}<b>"), {"easy": 1})
    for shown in (repr(result), result._repr_html_()):
        assert steering(shown) == set()
    assert "<b>" not in result._repr_html_()


@pytest.mark.parametrize("encoding", ["ascii", ""])
def test_a_terminal_that_knows_only_ascii(encoding: str, places: Places) -> None:
    words = ["eval", places.model, "--data", places.data, "--max-new-tokens", 2]
    ran = fdd_edge_process(*words, PYTHONIOENCODING=encoding, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert ran.returncode == 0, ran.stderr
    assert "UnicodeEncodeError" not in ran.stderr
    assert ran.stdout.isascii()
