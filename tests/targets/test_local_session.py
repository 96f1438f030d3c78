"""The local transport: sessions with a child process, and what happens when it dies."""

import os
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

from fdd_edge.errors import FddError, MissingExtraError, TargetError
from fdd_edge.ondevice.protocol import Completion, Decoding, Request, Settings, Shot, Task
from fdd_edge.targets import load_profile, open_session, plan_waves, runner_session
from fdd_edge.targets.local import child_session
from fdd_edge.targets.pipes import last_lines
from fdd_edge.targets.runner_session import RunnerSession

LOCAL = load_profile("local")
SETTINGS = Settings(Decoding(8, batch_size=2, threads=1))
WAVES = plan_waves([Task(f"p{i}", 0, f"{i} and {i}?") for i in range(10)], 4)


def complete(artifact: Path, settings: Settings = SETTINGS) -> list[Completion]:
    with open_session(LOCAL, artifact, settings=settings) as session:
        return [row for result in session.complete(WAVES) for row in result.completions]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_session_from_end_to_end(tiny_gguf: Path) -> None:
    finished: list[int] = []
    with open_session(LOCAL, tiny_gguf, settings=SETTINGS) as session:
        assert session.info.prompt == "Question: {question}\nProgram:\n"
        with pytest.raises(RuntimeError, match="still open"):
            _ = session.totals
        results = list(session.complete(WAVES, finished.append))
    assert [len(result.completions) for result in results] == [4, 4, 2]
    assert finished[-1] == 10
    assert (session.totals.waves, session.totals.problems) == (3, 10)
    assert 0 < session.totals.peak_rss_bytes < 1 << 30


def test_two_sessions_give_the_same_rows(tiny_gguf: Path) -> None:
    assert complete(tiny_gguf) == complete(tiny_gguf)


def test_the_missing_waves_alone_complete_the_rows(tiny_gguf: Path) -> None:
    with open_session(LOCAL, tiny_gguf, settings=SETTINGS) as session:
        rest = [row for result in session.complete(WAVES[1:]) for row in result.completions]
    assert complete(tiny_gguf)[4:] == rest


def test_prompt_and_examples_reach_the_runner(tiny_gguf: Path) -> None:
    with open_session(
        LOCAL, tiny_gguf, settings=SETTINGS, prompt="{question}=", examples=[Shot("1+1", "2")]
    ) as session:
        assert session.info.prompt == "1+1=2\n\n{question}="


def test_a_killed_runner_is_one_sentence_and_finished_waves_stay(tiny_gguf: Path) -> None:
    kept = []
    with (
        pytest.raises(
            TargetError, match=r"^The runner was killed by SIGKILL while decoding wave 1 of .*gguf\.$"
        ) as error,
        open_session(LOCAL, tiny_gguf, settings=SETTINGS) as session,
    ):
        assert isinstance(session, RunnerSession)
        for result in session.complete(WAVES):
            kept.append(result.index)
            os.kill(session.pid, signal.SIGKILL)
    assert kept == [0]
    assert error.value.exit_code == 6


def test_a_crash_hints_at_the_build(tiny_gguf: Path) -> None:
    with (
        pytest.raises(TargetError, match=r"killed by SIGILL while closing .* If this happens with every model"),
        open_session(LOCAL, tiny_gguf, settings=SETTINGS) as session,
    ):
        assert isinstance(session, RunnerSession)
        os.kill(session.pid, signal.SIGILL)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, ZeroDivisionError])
def test_whatever_ends_the_block_ends_the_child(tiny_gguf: Path, interrupt: type[BaseException]) -> None:
    with pytest.raises(interrupt), open_session(LOCAL, tiny_gguf, settings=SETTINGS) as session:
        assert isinstance(session, RunnerSession)
        pid = session.pid
        raise interrupt
    assert not is_alive(pid)


def test_files_that_are_not_models(tiny_gguf: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.gguf"
    half.write_bytes(tiny_gguf.read_bytes()[:20_000])
    text = tmp_path / "text.gguf"
    text.write_text("hello")
    cases = {
        half: f"llama.cpp cannot load {half}",
        text: f"{text} is not a GGUF file",
        tmp_path / "none.gguf": "does not exist.",
        tmp_path: "is a folder; name a file.",
    }
    for path, sentence in cases.items():
        with pytest.raises(FddError) as error, open_session(LOCAL, path, settings=SETTINGS):
            pass
        assert sentence in str(error.value)
        assert error.value.exit_code == 2


def test_a_prompt_without_a_question_is_the_users_fault(tiny_gguf: Path) -> None:
    with (
        pytest.raises(FddError, match=r"does not contain \{question\}") as error,
        open_session(LOCAL, tiny_gguf, settings=SETTINGS, prompt="Solve."),
    ):
        pass
    assert error.value.exit_code == 2


def test_a_truncated_line_is_reported_as_the_end_of_the_runner(tiny_gguf: Path) -> None:
    """It used to be reported as invalid JSON."""
    code = 'import sys; sys.stdin.readline(); sys.stdout.write(\'{"event": "rea\'); sys.stdout.flush(); sys.exit(3)'
    request, missing = Request(str(tiny_gguf), settings=SETTINGS), FddError("missing")
    with (
        pytest.raises(TargetError, match=r"ended with exit code 3 while loading"),
        child_session([sys.executable, "-c", code], request, build_hint="", missing=missing),
    ):
        pass


def test_an_abort_shows_the_assertion_and_not_the_backtrace(tiny_gguf: Path, tmp_path: Path) -> None:
    """A vocabulary with a token twice was reported as "360 ../csu/libc-start.c" and the last lines of gdb."""
    content, twice = tiny_gguf.read_bytes(), tmp_path / "twice.gguf"
    # Two tokens of one byte each: a length of 1 in 8 bytes, then the byte.
    token = (1).to_bytes(8, "little")
    assert token + b"b" in content
    twice.write_bytes(content.replace(token + b"b", token + b"a", 1))
    with (
        pytest.raises(TargetError, match=r"killed by SIGABRT while loading .* GGML_ASSERT\(") as error,
        open_session(LOCAL, twice, settings=SETTINGS),
    ):
        pass
    assert "libc-start" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (
            "[New LWP 7]\n/x/llama-vocab.cpp:9: GGML_ASSERT(a == b) failed\n0x01 in wait4 ()\n#1  0x02 in main ()\n"
            "360\t../csu/libc-start.c: No such file or directory.\n[Inferior 1 (process 7) detached]\n",
            ["/x/llama-vocab.cpp:9: GGML_ASSERT(a == b) failed"],
        ),
        (
            "reading\nno memory\n[New LWP 7]\n#0  0x01 in wait4 () from /lib/libc.so.6\n/lib/x.so(+0x1)[0x7f]\n",
            ["reading", "no memory"],
        ),
        ("#1 0x02 in main ()\n", ["#1 0x02 in main ()"]),
        ("a\nb\n\nc\nValueError: d\n", ["b", "c", "ValueError: d"]),
    ],
)
def test_the_useful_last_lines_are_shown(written: str, shown: list[str]) -> None:
    assert last_lines(written) == shown


def test_a_missing_runtime_says_how_to_install_it(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bare(variables: object) -> dict[str, str]:
        # A library path without a library looks like a missing installation from the inside.
        return {"PATH": os.environ["PATH"], "LLAMA_CPP_LIB_PATH": "/nonexistent"}

    monkeypatch.setattr("fdd_edge.targets.local.clean_environment", bare)
    with (
        pytest.raises(MissingExtraError, match=r"pip install 'fdd-edge\[gguf\]'"),
        open_session(LOCAL, tiny_gguf, settings=SETTINGS),
    ):
        pass


def test_the_users_shell_does_not_steer_the_runner(monkeypatch: pytest.MonkeyPatch, tiny_gguf: Path) -> None:
    before = complete(tiny_gguf)
    monkeypatch.setenv("PYTHONPATH", "/nonexistent")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONINSPECT", "1")
    assert complete(tiny_gguf) == before


def test_a_long_silence_is_explained_once(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A graph with a loop of 2^62 rounds was waited for, an hour long, without a word."""
    monkeypatch.setattr(runner_session, "_PATIENT_SECONDS", 0.0)
    assert len(complete(tiny_gguf)) == 10
    said = capsys.readouterr().err
    assert said.count("The runner has sent nothing for") == 1
    assert f"while loading {tiny_gguf}. A slow device may take minutes" in said
