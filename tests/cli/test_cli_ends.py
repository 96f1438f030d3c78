"""How a command ends: its terminal is closed, its streams are closed or full, it is killed, a file may not grow."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import fdd_edge_process

COMMAND = [sys.executable, "-m", "fdd_edge"]
SHORT = ["--max-new-tokens", "2", "--threads", "1"]
LONG = ["--limit", "500", "--max-new-tokens", "200", "--threads", "1", "--wave", "500"]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the temporary files of commands."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    path.write_text('{"question": "What is 2 + 3?", "answer": 5}\n')
    return path


def started(*words: object, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start an evaluation, and return it when it has begun to work."""
    command = [*prefix, *COMMAND, *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    # Before it, the first evaluation of a kind says which attention it has chosen.
    assert any(line.endswith("...\n") for line in iter(process.stderr.readline, ""))
    return process


def children(pid: int) -> list[int]:
    """Return the ids of a process's children."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGHUP, 129), (signal.SIGTERM, 130), (signal.SIGINT, 130)], ids=lambda v: str(v)
)
def test_a_signal_leaves_nothing_behind(number: int, code: int, tiny_gguf: Path, temporary: Path) -> None:
    """SIGHUP, of a terminal that is closed, was not listened to: a folder with the rows stayed each time."""
    process = started("eval", tiny_gguf, "--data", "symbolic:train", *LONG)
    assert len(list(temporary.iterdir())) == 1
    runners = children(process.pid)
    process.send_signal(number)
    if number == signal.SIGHUP:
        process.send_signal(number)  # a shell and the system each send one
    _, said = process.communicate()
    assert (process.returncode, said.splitlines()[-1]) == (code, "Interrupted.")
    assert list(temporary.iterdir()) == []
    assert not [pid for pid in runners if Path(f"/proc/{pid}").exists()]


def test_under_nohup_the_work_goes_on(tiny_gguf: Path, temporary: Path, data: Path) -> None:
    process = started("eval", tiny_gguf, "--data", data, *SHORT, prefix=("nohup",))
    process.send_signal(signal.SIGHUP)
    shown, _ = process.communicate()
    assert process.returncode == 0
    assert shown.startswith("solved")


def test_what_a_killed_command_left_is_deleted_by_the_next(tiny_gguf: Path, temporary: Path) -> None:
    process = started("eval", tiny_gguf, "--data", "symbolic:train", *LONG)
    process.kill()
    process.communicate()
    assert len(list(temporary.iterdir())) == 1
    assert fdd_edge_process("ls", "formats").returncode == 0
    assert list(temporary.iterdir()) == []


def without(*numbers: int) -> Callable[[], None]:
    """Return what closes streams before a program starts."""

    def close() -> None:
        for number in numbers:
            os.close(number)

    return close


def evaluated(
    model: Path, data: Path | str, out: Path, *, closed: tuple[int, ...] = (), **streams: int
) -> subprocess.CompletedProcess[str]:
    """Evaluate a model, without some of the streams."""
    command = [*COMMAND, "eval", str(model), "--data", str(data), *SHORT, "-o", str(out)]
    return subprocess.run(
        command,
        stdin=streams.get("stdin", subprocess.DEVNULL),
        stdout=streams.get("stdout", subprocess.PIPE),
        stderr=streams.get("stderr", subprocess.PIPE),
        preexec_fn=without(*closed),
        text=True,
        check=False,
    )


KEPT = ["rows.jsonl", "summary.json", "timing.json"]


@pytest.fixture
def full() -> int:
    """A stream to a disk that is full."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    return os.open("/dev/full", os.O_WRONLY)


def test_without_stderr_the_work_is_done(tiny_gguf: Path, data: Path, tmp_path: Path, full: int) -> None:
    """A line of progress that could not be printed ended the work of a cron job."""
    for name, ran in {
        "closed": evaluated(tiny_gguf, data, tmp_path / "closed", closed=(2,)),
        "full": evaluated(tiny_gguf, data, tmp_path / "full", stderr=full),
    }.items():
        assert (ran.returncode, ran.stdout[:6]) == (0, "solved"), name
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == KEPT


def test_without_stdout_the_work_is_done_and_that_is_said(
    tiny_gguf: Path, data: Path, tmp_path: Path, full: int
) -> None:
    """A result that went nowhere was a success."""
    for name, why, ran in (
        ("closed", "Bad file descriptor", evaluated(tiny_gguf, data, tmp_path / "closed", closed=(1,))),
        ("full", "No space left on device", evaluated(tiny_gguf, data, tmp_path / "full", stdout=full)),
    ):
        assert ran.returncode == 2
        assert ran.stderr.splitlines()[-1] == (
            f"Error: The result could not be printed ({why}); what was written is kept."
        )
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == KEPT


def test_without_any_stream_nothing_is_printed_into_a_file(tiny_gguf: Path, data: Path, tmp_path: Path) -> None:
    """A file that is opened gets the number of a closed stream, and whoever prints writes into it."""
    ran = evaluated(tiny_gguf, data, tmp_path / "out", closed=(0, 1, 2))
    assert ran.returncode == 2  # the result could not be printed
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == KEPT
    assert (tmp_path / "out" / "rows.jsonl").read_text().startswith('{"problem_id"')


def test_a_closed_stdin_holds_no_problems(tiny_gguf: Path, tmp_path: Path) -> None:
    ran = evaluated(tiny_gguf, "-", tmp_path / "out", closed=(0,))
    assert (ran.returncode, ran.stderr) == (2, "Error: standard input has no problems.\n")


def test_a_pipe_that_nobody_reads_ends_quietly() -> None:
    process = subprocess.Popen([*COMMAND, "ls"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 1


def test_a_file_that_may_not_grow_is_one_sentence(tiny_gguf: Path, tmp_path: Path) -> None:
    """`ulimit -f`, and FAT32 at 4 GB, ended in a traceback."""
    command = [*COMMAND, "eval", str(tiny_gguf), "--data", "symbolic:train", "--limit", "30", *SHORT]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    ran = subprocess.run(
        [*command, "-o", str(tmp_path / "out")], preexec_fn=limit, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1] == (
        f"Error: File too large: {tmp_path}. Its file system, or `ulimit -f`, allows no file of that size (FAT32: none "
        "of 4 GB); name a path on another disk."
    )


@pytest.mark.parametrize("option", [["-o"], ["--prompt"], ["--data"]], ids=str)
def test_a_name_that_is_too_long_is_one_sentence(option: list[str], tiny_gguf: Path, data: Path) -> None:
    words = ["eval", tiny_gguf, "--data", data, *SHORT, *option, f"{data.parent}/{'x' * 300}"]
    ran = fdd_edge_process(*words)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("Error: File name too long: ")
    assert ran.stderr.endswith(". Name a shorter path.\n")


def test_tools_end_with_what_they_started(tmp_path: Path) -> None:
    """The compilers that pip had started went on when the command was stopped."""
    os.mkfifo(tmp_path / "pipe")
    tool = ["sh", "-c", 'exec 9>"$0"; sleep 1000 & echo started >&9; wait', str(tmp_path / "pipe")]
    program = (
        "from fdd_edge import interrupt\nfrom fdd_edge.targets.runtime_wheel import run_tool\n"
        f"interrupt.listen()\nrun_tool({tool!r}, doing='compiling')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    with (tmp_path / "pipe").open() as pipe:
        assert pipe.readline() == "started\n"
        process.send_signal(signal.SIGHUP)
        assert pipe.read() == ""  # its end: nobody has the pipe open any more
    process.wait()


INTERRUPTED_WHILE_STARTING = """
import os, signal, subprocess
from fdd_edge import interrupt
from fdd_edge.targets.runner_session import owned

def start():
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    os.kill(os.getpid(), signal.SIGTERM)
    print(process.pid, flush=True)
    return process

interrupt.listen()
with owned(start):
    print("not reached")
"""


def test_a_process_that_is_starting_when_the_command_is_stopped_ends_too() -> None:
    """A signal between its start and the block that ends it left it running."""
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED_WHILE_STARTING], capture_output=True, text=True)
    (started,) = ended.stdout.split("\n")[:-1]
    assert "KeyboardInterrupt" in ended.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(started), 0)


SWALLOWED = """
import signal
from fdd_edge import interrupt
from fdd_edge.progress import progress

interrupt.listen()
with progress("working", 3) as advance:
    try:
        signal.raise_signal(signal.SIGINT)
    except BaseException:
        print("swallowed", flush=True)
    advance(1)
    print("not reached")
"""


def test_an_interrupt_that_something_swallowed_ends_the_work_at_the_next_step() -> None:
    """Ctrl-C during an import was sometimes lost, and an evaluation went on to its end."""
    ended = subprocess.run([sys.executable, "-c", SWALLOWED], capture_output=True, text=True)
    assert (ended.stdout, "KeyboardInterrupt" in ended.stderr) == ("swallowed\n", True)
