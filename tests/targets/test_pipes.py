"""Boards and children that send too much, nothing, or nonsense: one sentence each, in bounded memory and time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest

from fdd_edge.errors import MissingExtraError, TargetError
from fdd_edge.ondevice.protocol import (
    Decoding,
    Request,
    Score,
    Settings,
    SpecialIds,
    TargetInfo,
    Task,
    Totals,
    Wave,
    encode,
)
from fdd_edge.targets import load_profile, pipes, runner_session, ssh
from fdd_edge.targets.diagnostics import check_target
from fdd_edge.targets.local import child_session, clean_environment
from fdd_edge.targets.pipes import EndlessLineError, LineReader, SilenceError, StderrTail, killing_after
from fdd_edge.targets.runner_session import RunnerSession

INFO = TargetInfo(
    6,
    "llama.cpp",
    "1",
    "",
    "3.11",
    "x86_64",
    None,
    "cpu",
    (),
    False,
    "m",
    1,
    64,
    SpecialIds(1, 2, (2,), True),
    "q",
    0.1,
)
WAVE = Wave(0, (Task("p", 0, "1+1?"),))
ROW = {
    **{"problem_id": "p", "sample": 0, "text": "answer = 2", "program": "answer = 2", "answer": 2, "verdict": None},
    **{"n_prompt_tokens": 1, "n_tokens": 1, "prompt_ids_sha": "00ff" * 4},
}
TIMING = {
    **{"seconds": 1, "prompt_tokens": 1, "decode_tokens": 1, "prompt_seconds": 1, "first_token_seconds": 1},
    **{"peak_rss_bytes": 1, "conditions": {}},
}
RESULT = {"event": "wave", "index": 0, "completions": [ROW], "timing": TIMING}
PROGRESS = {"event": "progress", "index": 0, "finished": 0}


@contextmanager
def process_of(code: str) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def session_with(*answers: str) -> Iterator[RunnerSession]:
    """Open a session with a runner that describes itself, and gives each of these answers (Python) to a command."""
    code = f"import sys\nout = sys.stdout\nsys.stdin.readline()\nprint({encode(INFO)!r}, flush=True)\n"
    code += "".join(f"sys.stdin.readline()\n{answer}\nout.flush()\n" for answer in answers)
    command = [sys.executable, "-c", code]
    settings = Settings(Decoding(4, threads=1))
    missing = MissingExtraError("llama-cpp-python", "gguf")
    with child_session(command, Request("m.gguf", settings), build_hint="", missing=missing) as session:
        yield session


def printing(**changes: object) -> str:
    return f"print({json.dumps(RESULT | changes)!r})"


def error_of(*answers: str) -> str:
    with pytest.raises(TargetError) as error, session_with(*answers) as session:
        list(session.complete([WAVE]))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_lines_come_one_by_one_and_the_rest_at_the_end() -> None:
    with process_of("print('a\\nb\\n' + 'c' * 200000, end='')") as process:
        assert process.stdout is not None
        lines = LineReader(process.stdout)
        assert [lines.read(most=10, seconds=60) for _ in range(2)] == [b"a\n", b"b\n"]
        assert lines.read(most=200000, seconds=60) == b"c" * 200000
        assert lines.read(most=10, seconds=60) == b""


def test_an_endless_line_and_silence_end() -> None:
    with process_of("while True: print('A' * 4096, end='')") as process:
        assert process.stdout is not None
        with pytest.raises(EndlessLineError):
            LineReader(process.stdout).read(most=1 << 20, seconds=60)
    with process_of("import sys; print('no line end', end='', flush=True); sys.stdin.read()") as process:
        assert process.stdout is not None
        with pytest.raises(SilenceError):
            LineReader(process.stdout).read(most=100, seconds=0.2)


def test_of_an_endless_stderr_only_the_end_is_kept() -> None:
    """It was written to a temporary file, until the disk was full."""
    with process_of(
        "import os\nfor _ in range(2000): os.write(2, b'x' * 65536)\nos.write(2, b'\\nlast words\\n')"
    ) as process:
        assert process.stderr is not None
        tail = StderrTail(process.stderr)
        process.wait(60)
        assert tail.last_lines(1) == ["last words"]
        assert len(tail._kept) <= 40_000


def test_a_process_that_reads_nothing_is_killed() -> None:
    with process_of("import sys; sys.stdout.close(); import time; time.sleep(600)") as process:
        assert process.stdin is not None
        with pytest.raises(BrokenPipeError), killing_after(process, 0.5):
            while True:
                process.stdin.write(bytes(1 << 16))


def test_an_honest_runner_is_understood() -> None:
    done = {"event": "done"} | {f.name: 1 for f in fields(Totals)}
    seen: list[int] = []
    with session_with(f"print({json.dumps(PROGRESS)!r})\n{printing()}", f"print({json.dumps(done)!r})") as session:
        (result,) = session.complete([WAVE], seen.append)
    assert (seen, result.completions[0].answer, session.totals.waves) == ([0, 1], 2, 1)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("while True: out.write('A' * 65536)", "sent a message of more than 0.1 MB while decoding wave 0"),
        (f"while True: print({json.dumps(PROGRESS)!r})", "reports progress without an end while decoding"),
        (f"print({json.dumps(PROGRESS | {'finished': 9})!r})", "answered with Progress"),
        (f"print({json.dumps(PROGRESS | {'finished': '1'})!r})", "the field 'finished' of Progress has the wrong type"),
        ("print('[' * 50000)", "a line is not JSON"),
        ("print('{\"event\": ' + '9' * 50000 + '}')", "a line is not JSON"),
        ("print('[1, NaN]')", "a line is not JSON (NaN is not a number)"),
        (
            printing(timing=TIMING).replace('"seconds": 1', '"seconds": 1e999', 1),
            "'seconds' of Timing has the wrong type",
        ),
        (printing(index=1), "it sent wave 1"),
        (printing(completions=[]), "it sent 0 replies to 1 questions"),
        (printing(completions=[ROW | {"problem_id": "q"}]), "it sent a reply to 'q' (sample 0) where"),
        (printing(completions=[ROW | {"answer": 3}]), "the reply to 'p' gives 3 there, but 2 here"),
        (printing(completions=[ROW | {"text": 5}]), "'text' of Completion has the wrong type"),
        (printing(completions=[ROW | {"answer": True}]), "'answer' of Completion has the wrong type"),
        (printing(completions=[7]), "a completion must be a JSON object"),
        (printing(completions=7), "a field of the wrong type"),
        (printing(timing=None), "Timing must be a JSON object"),
        ('print(\'{"event": "error", "kind": "x", "message": 5}\')', "of Failure has the wrong type"),
        (printing(completions=[ROW | {"text": "\ud800"}]), "'text' of Completion is not valid Unicode"),
        (printing(completions=[ROW | {"prompt_ids_sha": "zz\ud800"}]), "'prompt_ids_sha' of Completion is not valid"),
        (printing(completions=[ROW | {"prompt_ids_sha": "zz"}]), "has the hash 'zz', which is none"),
        (printing(completions=[ROW | {"n_tokens": 10**400}]), "'n_tokens' of Completion must be from 0 to"),
        (printing(completions=[ROW | {"n_tokens": 5}]), "has 5 tokens, where it may have 1 to 4"),
        (printing(completions=[ROW | {"ids": [1]}]), "comes with ids"),
        (printing(completions=[ROW | {"text": "", "verdict": "limit"}]), "gives 'limit' there, but 'no_program' here"),
        (
            printing(completions=[ROW | {"text": "", "verdict": "limit", "n_prompt_tokens": 64}]),
            "has another program or number here",
        ),
        (printing(completions=[ROW | {"verdict": "unfinished", "program": None, "answer": None}]), "may have 4 to 4"),
        *(
            (printing(timing=TIMING | {name: value}), said)
            for name, value, said in [
                ("seconds", 1.7e308, "'seconds' of Timing must be from 0 to"),
                ("seconds", 10**400, "'seconds' of Timing must be from 0 to"),
                ("seconds", -5.0, "'seconds' of Timing must be from 0 to"),
                ("seconds", 5e-324, "a part of its 4.94066e-324 seconds took 1"),
                ("prompt_seconds", 2, "a part of its 1 seconds took 2"),
                ("peak_rss_bytes", -(10**9), "'peak_rss_bytes' of Timing must be from 0 to"),
                ("decode_tokens", 10**400, "'decode_tokens' of Timing must be from 0 to"),
                ("decode_tokens", 7, "it counts 7 generated tokens, but its replies have 1"),
                ("prompt_tokens", 9, "it counts 9 prompt tokens, which is more than its prompts have"),
                ("first_token_seconds", None, "it states None seconds to the first of 1 tokens"),
                ("conditions", {"joules": -1}, "'joules' of Conditions must be from 0 to"),
                ("conditions", {"temperature_c": 1e308}, "'temperature_c' of Conditions must be from -300 to"),
            ]
        ),
        (
            printing(timing=TIMING | {"seconds": 1e-12, "prompt_seconds": 1e-12, "first_token_seconds": 1e-12}),
            "it says that 2 tokens took 1e-12 seconds",
        ),
        (f"print({json.dumps(PROGRESS | {'index': 77})!r})", "answered with Progress"),
    ],
)
def test_what_no_honest_runner_sends_is_one_sentence(answer: str, said: str) -> None:
    assert said in error_of(answer)


def test_a_runner_that_closes_its_output_and_lives_on_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end was waited for, for ever."""
    monkeypatch.setattr(pipes, "_EXIT_SECONDS", 0.5)
    assert "killed by SIGKILL" in error_of("import os, time; os.close(1); time.sleep(600)")


def test_a_runner_that_is_silent_for_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_session, "_SILENCE_SECONDS", 0.5)
    assert "so it hangs. Restart it." in error_of("sys.stdin.read()")


@pytest.mark.parametrize("logits", ["", "AAAA", "AAAAAAA="])
def test_scores_without_the_rows_that_were_asked_for_are_refused(logits: str) -> None:
    row = {
        **{"event": "scores", "problem_id": "p", "prompt": "q", "prompt_ids": [1], "text_ids": [1]},
        **{"best": [1], "leads": [0.5], "logits": logits},
    }
    text = Score("p", "q", "q", (1,), (1,), (0,))
    with (
        pytest.raises(TargetError, match="sent the scores of another text"),
        session_with(f"print({json.dumps(row)!r})") as session,
    ):
        list(session.score([text]))


# --- boards -----------------------------------------------------------------------------------------------------------

GREETING = 'print(\'\\nfdd-edge board 1 {"python": "3.11.2", "machine": "x86_64"}\', flush=True)'
READY = 'print(\'{"missing": [], "free": 9, "home": "/h", "python": "/p"}\', flush=True)'
PATHS = 'print(\'{"paths": ["/h/runner"]}\', flush=True)'


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Checks a board that runs some Python in place of the command; returns the sentence of the failed check."""

    def check(*lines: str) -> str:
        fake = tmp_path / "bin" / "ssh"
        fake.parent.mkdir()
        code = "\n".join(["import sys", *lines])
        fake.write_text(f"#!{sys.executable}\nimport sys\nif '-G' in sys.argv: sys.exit(0)\n{code}\n")
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
        profile = tmp_path / "pi.yaml"
        profile.write_text("transport: ssh\nhost: board\nthreads: 1\n")
        checks = list(check_target(load_profile(str(profile))))
        assert checks[-1].what == "connection"
        assert checks[-1].fix is not None and "\n" not in checks[-1].fix
        return checks[-1].fix

    return check


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["while True: sys.stdout.write('A' * 65536)"], "prints more than 200 lines, or an endless one"),
        (["while True: print('Welcome')"], "prints more than 200 lines, or an endless one"),
        ([GREETING, "while True: sys.stdout.write('A' * 65536)"], "sent a line of more than 1 MB"),
        (["print('fdd-edge board 1 ' + '[' * 50000)"], "sent an unexpected answer"),
        (["print('fdd-edge board 1 {}')", READY], "sent an unexpected answer"),
        ([GREETING, "print('[' * 50000)"], "sent an unexpected answer"),
        ([GREETING, "print('9' * 50000)"], "sent an unexpected answer"),
        ([GREETING, READY.replace("[]", "[7]")], "sent an unexpected answer"),
        ([GREETING, READY.replace("[]", "[-1]")], "sent an unexpected answer"),
        ([GREETING, READY.replace("9", '"9"')], "sent an unexpected answer"),
        ([GREETING, READY, PATHS.replace("/h/runner", "a", 1).replace('["a"]', "[]")], "sent an unexpected answer"),
        ([GREETING, READY, PATHS, "print('{}')"], "sent a description that is not one"),
        ([GREETING, READY, PATHS, 'print(\'{"event": "error"}\')'], "failed while answering"),
    ],
)
def test_a_board_that_answers_nonsense_is_one_sentence(lines: list[str], said: str, doctor: Callable[..., str]) -> None:
    """`doctor` read a line without an end until memory was full, and ended in tracebacks."""
    assert said in doctor(*lines)


@pytest.mark.parametrize("lines", [[GREETING], [GREETING, READY], [GREETING, READY, PATHS]], ids=len)
def test_a_board_that_falls_silent_is_given_up(
    lines: list[str], doctor: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its first line, nothing ended the wait."""
    monkeypatch.setattr(ssh, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(ssh.ask_runner, "__kwdefaults__", {"files": None, "seconds": 0.5})
    began = time.monotonic()
    assert "has sent nothing" in doctor(*lines, "import time; time.sleep(600)")
    assert time.monotonic() - began < 300


def test_a_runner_inherits_no_secrets() -> None:
    """It opens strangers' files in C++; it inherited the tokens of the shell."""
    secrets = ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", "OPENAI_API_KEY", "http_proxy", "PIP_INDEX_URL")
    given = dict.fromkeys((*secrets, "OMP_NUM_THREADS", "PATH", "HOME", "LC_ALL", "XDG_CACHE_HOME"), "x")
    assert set(clean_environment(given)) == {"PATH", "HOME", "LC_ALL", "XDG_CACHE_HOME"}
