"""The runner as a process: what it prints, and its exit codes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

from fdd_edge import catalog
from fdd_edge.ondevice import venv_setup as setup
from fdd_edge.ondevice.judging import explain, judge
from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.runner_commands import PLAIN
from fdd_edge.ondevice.runtime_versions import RUNTIME_VERSIONS
from fdd_edge.ondevice.verdicts import Verdict, format_answer

ROOT = Path(__file__).parents[2]


def run(*arguments: str, lines: list[dict[str, Any]] | None = None) -> subprocess.CompletedProcess[str]:
    stdin = "".join(json.dumps(line) + "\n" for line in lines or [])
    command = [sys.executable, "-m", "fdd_edge.ondevice", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)


def events(*lines: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("serve", lines=list(lines)).stdout.splitlines()]


def test_a_session_line_by_line(tiny_gguf: Path) -> None:
    request = {"protocol": 6, "artifact": str(tiny_gguf), "settings": {"decoding": {"max_new_tokens": 4, "threads": 1}}}
    task = {"problem_id": "p", "sample": 0, "question": "1+1?"}
    ready, wave, done = events(request, {"event": "wave", "index": 5, "tasks": [task]}, {"event": "end"})
    assert (ready["event"], ready["protocol"], ready["runtime"]) == ("ready", 6, "llama-cpp-python")
    assert ready["prompt"] == "Question: {question}\nProgram:\n"
    assert (wave["event"], wave["index"], wave["completions"][0]["problem_id"]) == ("wave", 5, "p")
    assert (done["event"], done["waves"], done["problems"]) == ("done", 1, 1)
    assert done["peak_rss_bytes"] > 1_000_000


def test_the_end_of_the_stream_is_an_end(tiny_gguf: Path) -> None:
    assert [event["event"] for event in events({"protocol": 6, "artifact": str(tiny_gguf)})] == ["ready", "done"]


def test_a_runner_ends_when_nobody_reads_its_answers() -> None:
    """It went on for as long as its runtime computed after its host was killed, or an ssh connection had died."""
    command = [sys.executable, "-m", "fdd_edge.ondevice", "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as runner:
        assert runner.stdin is not None and runner.stdout is not None
        runner.stdout.close()
        assert runner.wait(60) == 1  # its stdin is still open


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_files_that_are_not_models(tiny_gguf: Path, tmp_path: Path) -> None:
    whole = tiny_gguf.read_bytes()
    cases = {
        write(tmp_path / "half.gguf", whole[: len(whole) // 2]): "llama.cpp cannot load",
        write(tmp_path / "head.gguf", b"GGUF"): "llama.cpp cannot load",
        write(tmp_path / "other.gguf", b"PK\3\4"): "is not a GGUF file",
        tmp_path / "none.gguf": "is not a file",
        tmp_path: "is not a file",
    }
    for path, sentence in cases.items():
        (error,) = events({"protocol": 6, "artifact": str(path)})
        assert (error["event"], error["kind"]) == ("error", "bad_artifact")
        assert sentence in error["message"]
        assert str(path) in error["message"]
        assert "\n" not in error["message"]


def test_weights_that_are_not_finite(tiny_gguf: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "nan.gguf", tiny_gguf.read_bytes()[:-4096] + b"\xff" * 4096)
    task = {"problem_id": "p", "sample": 0, "question": "1+1?"}
    ready, error = events({"protocol": 6, "artifact": str(path)}, {"event": "wave", "index": 0, "tasks": [task]})
    assert (ready["event"], error["kind"]) == ("ready", "bad_artifact")
    assert error["message"] == f"{path} gives invalid results on this CPU: the logits are not finite."


def test_requests_that_cannot_be_read(tiny_gguf: Path) -> None:
    (error,) = events({"protocol": 9})
    assert (error["kind"], error["message"]) == (
        "bad_request",
        "The request cannot be read: this runner uses protocol 6, but the host uses 9.",
    )
    ready, error = events({"protocol": 6, "artifact": str(tiny_gguf)}, {"event": "dance"})
    assert (ready["event"], error["kind"]) == ("ready", "bad_request")


def test_solve_says_plainly_that_a_program_did_not_run(tiny_gguf: Path) -> None:
    done = run("solve", str(tiny_gguf), "1+1?", "--max-new-tokens", "3")
    assert done.returncode == 1
    assert done.stdout.endswith("no answer: the reply was cut at the token limit.\n")
    assert done.stderr == ""


def test_solve_ends_in_a_sentence_on_a_broken_file(tmp_path: Path) -> None:
    done = run("solve", str(tmp_path / "none.gguf"), "1+1?")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{tmp_path / 'none.gguf'} is not a file.\n"


def test_numbers_read_as_people_write_them() -> None:
    assert [format_answer(number, None) for number in (7, 7.0, 2.5)] == ["answer: 7", "answer: 7", "answer: 2.5"]


def test_a_refusal_says_what_exactly_was_wrong() -> None:
    detail = judge("or = 3\nanswer = or", unfinished=False, answer="program").detail
    refused = Completion("q", 0, "or = 3\nanswer = or", None, None, Verdict.no_program, 3, 9, "", detail=detail)
    assert explain(refused) == "no answer: the reply contains no program (not Python: invalid syntax)."
    too_long = Completion("q", 0, "", None, None, Verdict.limit, 999, 0, "")
    assert explain(too_long) == "no answer: the question or the program is too long."


def test_info_is_one_object() -> None:
    info = json.loads(run("info").stdout)
    assert {"python", "machine", "cpu", "runtimes"} <= set(info)
    assert info["runtimes"]["llama-cpp-python"]


def test_an_environment_whose_creation_was_interrupted_is_created_again(tmp_path: Path) -> None:
    """One without pip, which `python3 -m venv` leaves if Debian's python3-venv is missing, used to be kept."""
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    assert not setup._works(folder / "bin" / "python3")
    setup._create_environment(folder)
    assert setup._works(folder / "bin" / "python3")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--threads", "-4", "q"], "must be 1 or more, not -4"),
        (["--max-new-tokens", "0", "q"], "must be 1 or more, not 0"),
        ([" "], "The question is empty."),
        (["--prompt", "nothing.txt", "q"], "does not contain {question}"),
    ],
)
def test_what_a_person_at_the_board_typed_wrongly(words: list[str], sentence: str, tiny_gguf: Path) -> None:
    """Numbers below 1 used to be taken for 1, and an empty question was answered."""
    done = run("solve", str(tiny_gguf), *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr


def test_plain_is_the_packaged_prompt(tiny_gguf: Path) -> None:
    assert (catalog.shelf_path("configs/prompts") / "plain.txt").read_text(encoding="utf-8") == PLAIN
    named, spelt_out = (
        run("solve", str(tiny_gguf), "--max-new-tokens", "4", "--prompt", p, "1 and 1?") for p in ("plain", PLAIN)
    )
    assert named.stdout == spelt_out.stdout != ""


def test_help_names_every_command_and_shows_an_example() -> None:
    shown = run("--help").stdout
    assert {"solve", "info", "serve", "setup", "clean"} <= set(shown.split())
    assert "runner.pyz solve model.gguf" in shown


@pytest.mark.parametrize(
    ("model", "packages"),
    [
        ("model.gguf", "llama-cpp-python=={llama-cpp-python} jinja2"),
        ("model.onnx", "onnxruntime=={onnxruntime} tokenizers=={tokenizers} jinja2"),
    ],
)
def test_a_missing_runtime_is_installed_with_its_version(model: str, packages: str, tmp_path: Path) -> None:
    """The hint used to name no version, and Debian's pip refuses to install outside an environment."""
    (tmp_path / model).write_bytes(b"GGUF")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from fdd_edge.ondevice.runner_commands import main; main()"
    command = [sys.executable, "-I", "-S", "-c", code, "solve", str(tmp_path / model), "1+1?"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "is not installed for" in done.stderr
    assert f"-m pip install {packages.format(**RUNTIME_VERSIONS)}\n" in done.stderr


def test_a_person_at_the_board_may_name_the_prompt_s_file(tmp_path: Path, tiny_gguf: Path) -> None:
    """As on the host."""
    (tmp_path / "prompt.txt").write_text("Q: {question}\nA:", encoding="utf-8")
    prompts = str(tmp_path / "prompt.txt"), "Q: {question}\nA:"
    by_file, told = (run("solve", str(tiny_gguf), "--max-new-tokens", "4", "--prompt", p, "1 and 1?") for p in prompts)
    assert by_file.stdout == told.stdout != ""
