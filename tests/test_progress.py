"""Messages: silent from Python unless asked for, bare lines on stderr from the command line, a bar on a terminal."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys

import pytest

from fdd_edge.progress import about, announce, progress, show_on_stderr, warn, working

PROGRAM = """
from fdd_edge.progress import announce, progress, show_on_stderr, warn
{setup}
announce("hello")
warn("careful")
with progress("counting", 3) as advance:
    advance(3)
"""


def messages(setup: str, **environment: str) -> list[str]:
    """Return the lines that a program prints to stderr; it prints nothing else."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(setup=setup)], capture_output=True, text=True, check=True, env=environment
    )
    assert ran.stdout == ""
    return re.sub(r"[0-9.]+ s", "N s", ran.stderr).splitlines()


def test_from_python_nothing_is_printed_unless_asked_for() -> None:
    assert messages("") == []


def test_from_python_logging_shows_what_is_asked_for() -> None:
    assert messages("import logging; logging.basicConfig(level='INFO')") == [
        "INFO:fdd_edge:hello",
        "WARNING:fdd_edge:careful",
        "INFO:fdd_edge:counting ...",
        "INFO:fdd_edge:counting: done in N s",
    ]


@pytest.mark.parametrize("twice", ["", "; show_on_stderr()", "; import logging; logging.basicConfig(level='INFO')"])
def test_the_command_line_shows_bare_lines_once(twice: str) -> None:
    expected = ["hello", "careful", "counting ...", "counting: done in N s"]
    assert messages(f"show_on_stderr(){twice}") == expected


def test_a_quiet_command_line_shows_warnings_only() -> None:
    assert messages("import logging; show_on_stderr(logging.WARNING)") == ["careful"]


def test_of_several_processes_only_the_first_one_speaks() -> None:
    assert messages("show_on_stderr()", RANK="1", WORLD_SIZE="2") == []
    assert "hello" in messages("show_on_stderr()", RANK="0", WORLD_SIZE="2")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_and_the_lines_between(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    show_on_stderr()
    with progress("counting", 3) as advance:
        announce("in between")
        advance(3)
    shown = terminal.getvalue()
    assert "3/3" in shown
    assert "in between" in shown
    assert "done in" not in shown


def test_no_bar_when_only_warnings_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    show_on_stderr(logging.WARNING)
    try:
        with progress("counting", 3) as advance:
            advance(3)
        warn("careful")
    finally:
        show_on_stderr()
    assert terminal.getvalue() == "careful\n"


SILENT = """
import time
from fdd_edge import progress
progress._SILENCE, progress._LOOK = 0.2, 0.02
progress.show_on_stderr()
to_go = lambda left: "about 3 min to go" if left is None else "about 2 min to go"
with progress.working("merging", "Round 0 (1 of 2)", to_go):
    time.sleep(0.5)
    with progress.progress("counting", 10, "sheep") as advance:
        for done in range(1, 6):
            advance(done)
            time.sleep(0.1)
time.sleep(0.5)
"""


def test_nothing_is_silent_where_there_is_no_terminal() -> None:
    """A merge once printed one line and then nothing for half a minute; what has a bar says how far it is."""
    ran = subprocess.run([sys.executable, "-c", SILENT], capture_output=True, text=True, check=True)
    lines = [re.sub(r"[0-9.]+ s\b", "N s", line) for line in ran.stderr.splitlines()]
    assert lines[0] == "merging: N s so far · about 3 min to go"
    counted = next(line for line in lines if line.startswith("counting: "))
    assert re.fullmatch(r"counting: \d/10, [0-9.]+ sheep/s, N s left · about 2 min to go", counted)
    assert lines[-1] == "counting: done in N s"


def test_a_terminal_shows_the_headline_above_the_bar_and_a_line_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    show_on_stderr()
    with (
        working("training", "Round 0 (1 of 2)", lambda left: "about 3 min to go"),
        progress("counting", 3, "steps") as advance,
    ):
        advance(3)
        announce("in between")
    shown = terminal.getvalue()
    assert "Round 0 (1 of 2) · training · about 3 min to go" in shown
    assert "3/3" in shown
    assert re.search(r"counting: done in [0-9.]+ s", shown)
    assert "in between" in shown


@pytest.mark.parametrize(
    ("seconds", "words"), [(4.4, "4 s"), (63, "65 s"), (120, "2 min"), (5000, "83 min"), (9000, "2.5 h")]
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert about(seconds) == words
