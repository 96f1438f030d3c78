"""bench, doctor --target and targets, as typed."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from pathlib import Path

import pytest
import sshd
from click.testing import CliRunner

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

from fdd_edge.cli import cli
from fdd_edge.errors import FddError, TargetError


def typed(*arguments: str) -> str:
    """Return what a command prints to stdout; its errors are raised."""
    ran = CliRunner().invoke(cli, arguments, catch_exceptions=False, standalone_mode=False)
    return ran.stdout


def test_bench_prints_every_figure_and_says_what_was_not_measured(tiny_gguf: Path) -> None:
    said = typed("bench", str(tiny_gguf))
    for word in ("load ", "first token", "tokens/s, one at a time", "16 in a batch", "MB at peak", "energy", "build"):
        assert word in said
    row = json.loads(typed("bench", str(tiny_gguf), "--json"))
    assert row["device"]["runtime"] == "llama-cpp-python"


def test_doctor_looks_at_this_machine_as_a_target() -> None:
    checks = {check["what"]: check for check in json.loads(typed("doctor", "--target", "local", "--json"))["checks"]}
    assert checks["llama-cpp-python"]["fix"] is None
    assert {"cpu", "python"} <= set(checks)


def test_a_board_is_examined_and_cleaned(tmp_path: Path, tiny_gguf: Path) -> None:
    with sshd.serve(tmp_path / "server") as server:
        board = tmp_path / "pi.yaml"
        board.write_text(json.dumps(server.profile(tmp_path / "home", features=["made_up"])))
        checks = json.loads(typed("doctor", "--target", str(board), "--json"))["checks"]
        found = {check["what"]: check for check in checks}
        assert found["connection"]["found"] == f"pi (board), folder {tmp_path / 'home'}"
        assert found["features"]["found"] == "lacks made_up"
        assert found["llama-cpp-python"]["fix"] is None
        board.write_text(json.dumps(server.profile(tmp_path / "home")))
        typed("bench", str(tiny_gguf), "--target", str(board))
        assert [path.suffix for path in (tmp_path / "home" / "models").iterdir()] == [".gguf"]
        assert not (tmp_path / "home" / "waves").exists(), "a measurement must not be answered from kept waves"
        assert typed("targets", "clean", str(board)).startswith("pi: 0.")
        assert not list((tmp_path / "home" / "models").iterdir())
    gone = json.loads(typed("doctor", "--target", str(board), "--json"))["checks"]
    assert "Connection refused" in gone[-1]["fix"]
    ran = CliRunner().invoke(cli, ["doctor", "--target", str(board)])
    assert ran.exit_code == 6, "a script must see that nothing works there"


def test_a_board_at_work_is_not_cleaned(tmp_path: Path, tiny_gguf: Path) -> None:
    from fdd_edge.ondevice.protocol import Settings
    from fdd_edge.targets import load_profile, open_session

    with sshd.serve(tmp_path / "server") as server:
        board = tmp_path / "pi.yaml"
        board.write_text(json.dumps(server.profile(tmp_path / "home")))
        with (
            open_session(load_profile(str(board)), tiny_gguf, settings=Settings()),
            pytest.raises(TargetError, match=r"pi \(board\): process \d+ is decoding there"),
        ):
            typed("targets", "clean", str(board))
        assert (tmp_path / "home" / "models").is_dir()


@pytest.mark.slow
def test_a_bare_board_is_set_up_and_answers(tmp_path: Path, tiny_gguf: Path, user_cache: str) -> None:
    """With the wheel of its CPU that is there already: nothing is compiled."""
    from fdd_edge.targets import RUNTIME_VERSIONS, load_profile
    from fdd_edge.targets.runtime_wheel import runtime_folder

    version = RUNTIME_VERSIONS["llama-cpp-python"]
    wheels = sorted(Path(user_cache).glob(f"wheels/*/llama_cpp_python-{version}-*{platform.machine()}.whl"))
    if not wheels:
        sshd.skip("needs the wheel that `make setup` keeps in the cache")
    bare = tmp_path / "python3"
    bare.write_text(f'#!/bin/sh\nexec {Path(sys.base_prefix) / "bin" / "python3"} "$@"\n')
    bare.chmod(0o755)
    with sshd.serve(tmp_path / "server") as server:
        made_for = {"architecture": platform.machine(), "build": ["-DTEST=1"]}
        board = tmp_path / "pi.yaml"
        board.write_text(json.dumps(server.profile(tmp_path / "home", python=str(bare), **made_for)))
        with pytest.raises(TargetError, match=r"pi \(board\) lacks a runtime.*fdd-edge targets setup .*pi.yaml"):
            typed("bench", str(tiny_gguf), "--target", str(board))
        folder = runtime_folder(load_profile(str(board)))
        folder.mkdir(parents=True)
        shutil.copy(wheels[-1], folder)
        assert f"llama-cpp-python {version}" in typed("targets", "setup", str(board))
        assert "tokens/s" in typed("bench", str(tiny_gguf), "--target", str(board))


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["targets", "create", "local"], "works only for emulated targets; local uses transport local"),
        (["targets", "setup", "local"], "works only for ssh boards; local uses transport local"),
        (
            ["targets", "clean", "local"],
            "works only for boards and emulated targets; local uses transport local and stores nothing",
        ),
        (["targets", "create", "rpi5"], "Set up a board with: fdd-edge targets setup rpi5"),
        (["targets", "create", "rpi6"], "no target named 'rpi6'. Did you mean"),
        (["doctor", "--target", "cuda"], "There is no target 'cuda'. For this machine's CPU use the target 'local'"),
    ],
)
def test_targets_that_are_none(command: list[str], sentence: str) -> None:
    with pytest.raises(FddError, match=sentence):
        typed(*command)
