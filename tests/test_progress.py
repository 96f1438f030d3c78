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


def test_a_long_title_leaves_room_for_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """``137/1…`` was shown beside the name of a file, on a terminal of 80 columns."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    show_on_stderr()
    with progress("parity of gguf-q4_0-imatrix/a-model-with-a-long-name.gguf", 12345, "prompts") as advance:
        advance(12345)
    assert "12345/12345" in terminal.getvalue()
    assert "parity of gguf-q4_0-imatrix…" in terminal.getvalue()


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
to_go = lambda estimate: "about 3 min to go" if estimate is None else "about 2 min to go"
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


NESTED = """
import time
from fdd_edge import progress
progress._SILENCE, progress._LOOK = 0.2, 0.02
progress.show_on_stderr()
to_go = lambda estimate: "" if estimate is None else f"{estimate.left:.0f} of {estimate.whole:.0f} s to go"
with progress.working("training", "Round 0 (1 of 2)", to_go):
    with progress.progress("training", 10_000) as advance:
        advance(1)
        time.sleep(0.05)
        advance(2)
        with progress.working("reading"), progress.progress("validation loss", 2) as validated:
            validated(1)
            time.sleep(0.05)
            validated(2)
            time.sleep(0.5)
"""


def test_what_is_inside_of_a_piece_of_work_does_not_say_how_long_all_takes() -> None:
    """While a training was validated, the seconds left of the validation were taken for those of the training."""
    ran = subprocess.run([sys.executable, "-c", NESTED], capture_output=True, text=True, check=True)
    line = next(line for line in ran.stderr.splitlines() if line.startswith("validation loss: 2/2"))
    left, whole = (int(number) for number in re.findall(r"(\d+) of (\d+) s to go", line)[0])
    assert 400 < left <= whole


MEASURED = """
import time
from fdd_edge import progress
progress._SILENCE, progress._LOOK = 0.2, 0.02
progress.show_on_stderr()
began = time.monotonic()
with progress.progress("fetching", 1000, "MB", measure=lambda: int(100 * (time.monotonic() - began))):
    time.sleep(0.7)
"""


def test_work_that_says_nothing_until_it_is_done_is_measured() -> None:
    """A download was at 0 bytes, without a rate or a time left, until the whole file was there."""
    ran = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    *_, last = [line for line in ran.stderr.splitlines() if line.startswith("fetching: ") and "done" not in line]
    assert re.fullmatch(r"fetching: \d+/1000, [0-9.]+ MB/s, \d+ s left", last)


SHORT = """
import time
from fdd_edge import progress
progress._SILENCE, progress._LOOK = 0.2, 0.02
progress.show_on_stderr()
progress.announce("begun")
for number in range(8):
    with progress.working("hashing"):
        time.sleep(0.1)
"""


def test_many_short_pieces_of_work_are_not_a_long_silence() -> None:
    ran = subprocess.run([sys.executable, "-c", SHORT], capture_output=True, text=True, check=True)
    assert sum(line.startswith("hashing: ") for line in ran.stderr.splitlines()) >= 2


def test_a_terminal_shows_the_headline_above_the_bar_and_a_line_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    show_on_stderr()
    with (
        working("training", "Round 0 (1 of 2)", lambda estimate: "about 3 min to go"),
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
