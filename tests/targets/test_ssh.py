"""Boards over ssh: a real server on loopback, and everything that can go wrong on the way to it."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sshd
from conftest import write_tiny_gguf

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice.bootstrap import HOME
from fdd_edge.ondevice.protocol import Completion, Decoding, Settings, Task
from fdd_edge.targets import RUNTIME_VERSIONS, Profile, load_profile, open_session, plan_waves
from fdd_edge.targets.diagnostics import check_target, require_ready
from fdd_edge.targets.runner_session import RunnerSession
from fdd_edge.targets.ssh import ask_runner

SETTINGS = Settings(Decoding(8, batch_size=2, threads=1))
WAVES = plan_waves([Task(f"p{i}", 0, f"{i} and {i}?") for i in range(10)], 4)

MakeProfile = Callable[..., Profile]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Server]:
    with sshd.serve(tmp_path_factory.mktemp("ssh") / "server") as server:
        yield server


@pytest.fixture
def board(server: sshd.Server, tmp_path: Path) -> Profile:
    return make_board(server, tmp_path)


@pytest.fixture(autouse=True)
def short_lock_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for a board that is in use."""
    monkeypatch.setattr("fdd_edge.targets.ssh.LOCK_TIMEOUT_SECONDS", 1.0)


def make_board(server: sshd.Server, tmp_path: Path, **keys: str | int | list[str]) -> Profile:
    """Return the profile of a new board behind the server, with its own home folder."""
    path = tmp_path / "pi.yaml"
    path.write_text(json.dumps(server.profile(tmp_path / "home", **keys)))
    return load_profile(str(path))


def complete(profile: Profile, artifact: Path, settings: Settings = SETTINGS) -> list[Completion]:
    with open_session(profile, artifact, settings=settings) as session:
        return [row for result in session.complete(WAVES) for row in result.completions]


def files(home: Path, folder: str) -> list[Path]:
    return sorted((home / folder).iterdir()) if (home / folder).is_dir() else []


def error_of(profile: Profile, artifact: Path) -> str:
    """Return the one-line message of the error."""
    with pytest.raises(TargetError) as error:
        complete(profile, artifact)
    assert error.value.exit_code == 6
    assert "\n" not in str(error.value)
    return str(error.value)


def test_rows_equal_those_of_local(board: Profile, tiny_gguf: Path) -> None:
    assert complete(board, tiny_gguf) == complete(load_profile("local"), tiny_gguf)


def test_a_file_is_sent_once_and_again_only_when_damaged(board: Profile, tiny_gguf: Path) -> None:
    complete(board, tiny_gguf)
    (model,) = files(Path(board.home), "models")
    assert model.read_bytes() == tiny_gguf.read_bytes()
    written = model.stat().st_mtime_ns
    complete(board, tiny_gguf)
    assert model.stat().st_mtime_ns == written
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    complete(board, tiny_gguf)
    assert model.read_bytes() == tiny_gguf.read_bytes()
    assert [path.name for path in files(Path(board.home), "models")] == [model.name]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["host", "board"])
def test_a_connection_cut_in_mid_wave_costs_one_wave(
    end: str, server: sshd.Server, board: Profile, tiny_gguf: Path
) -> None:
    """Cut at the host's or the board's end while a wave is decoded; the runner itself keeps running."""
    long = Settings(Decoding(200, batch_size=1, threads=1))
    waves = plan_waves([Task(f"p{i}", 0, f"{i} and {i}?") for i in range(600)], 200)
    finished: list[int] = []
    with (
        pytest.raises(
            TargetError, match=r"connection to pi \(board\) was lost while decoding wave [12] of .*resume"
        ) as error,
        open_session(board, tiny_gguf, settings=long) as session,
    ):
        assert isinstance(session, RunnerSession)
        pid = session.pid

        def cut(n: int) -> None:
            in_mid_wave = n > 200 and n % 200
            if in_mid_wave and end == "host":
                os.kill(pid, signal.SIGKILL)
            elif in_mid_wave:
                server.cut(connections_only=True)

        finished += [result.index for result in session.complete(waves, cut)]
    assert error.value.exit_code == 6
    kept = {path: path.stat().st_mtime_ns for path in files(Path(board.home), "waves")}
    assert len(kept) >= 1
    # The runner notices by itself that its host is gone, and the next session waits for that.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fdd_edge.targets.ssh.LOCK_TIMEOUT_SECONDS", 60.0)
        with open_session(board, tiny_gguf, settings=long) as session:
            rows = [row for result in session.complete(waves) for row in result.completions]
    with open_session(load_profile("local"), tiny_gguf, settings=long) as session:
        assert rows == [row for result in session.complete(waves) for row in result.completions]
    now = {path: path.stat().st_mtime_ns for path in files(Path(board.home), "waves")}
    assert len(now) == len(waves)
    assert kept.items() <= now.items(), "a finished wave was decoded again"


def test_a_host_killed_outright_leaves_its_waves_on_the_board(board: Profile, tiny_gguf: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from fdd_edge.ondevice.protocol import Decoding, Settings, Task\n"
        "from fdd_edge.targets import load_profile, open_session, plan_waves\n"
        "waves = plan_waves([Task(f'p{i}', 0, f'{i} and {i}?') for i in range(10)], 4)\n"
        "settings = Settings(Decoding(8, batch_size=2, threads=1))\n"
        "with open_session(load_profile(sys.argv[1]), Path(sys.argv[2]), settings=settings) as session:\n"
        "    for _ in session.complete(waves):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = board.argument
    died = subprocess.run([sys.executable, "-c", program, path, str(tiny_gguf)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert files(Path(board.home), "waves")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fdd_edge.targets.ssh.LOCK_TIMEOUT_SECONDS", 60.0)
        assert complete(board, tiny_gguf) == complete(load_profile("local"), tiny_gguf)


def test_a_board_whose_host_is_silent_is_free_again(
    server: sshd.Server, board: Profile, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a cut cable: the connection is open, but nothing arrives; also in the middle of a wave."""
    monkeypatch.setattr("fdd_edge.targets.ssh.HEARTBEAT_SECONDS", 1e6)
    monkeypatch.setattr("fdd_edge.targets.ssh.HOST_TIMEOUT_SECONDS", 3.0)
    endless = Settings(Decoding(230, batch_size=1, threads=1))
    wave = plan_waves([Task(f"p{i}", 0, "?") for i in range(4000)], 4000)
    with (
        pytest.raises(TargetError, match=r"no message from the host for 3 s"),
        open_session(board, tiny_gguf, settings=endless) as session,
    ):
        list(session.complete(wave))
    assert complete(board, tiny_gguf)


def test_another_file_or_setting_is_not_answered_from_stored_waves(
    board: Profile, tiny_gguf: Path, tmp_path: Path
) -> None:
    complete(board, tiny_gguf)
    another = write_tiny_gguf(tmp_path / "another.gguf", seed=1)
    assert complete(board, another) == complete(load_profile("local"), another) != complete(board, tiny_gguf)
    other = Settings(Decoding(5, batch_size=2, threads=1))
    assert complete(board, tiny_gguf, other) == complete(load_profile("local"), tiny_gguf, other)
    assert len(files(Path(board.home), "waves")) == 3 * len(WAVES)


def test_a_damaged_wave_is_decoded_again(board: Profile, tiny_gguf: Path) -> None:
    """Truncated, or with a flipped bit that leaves valid JSON."""
    rows = complete(board, tiny_gguf)
    truncated, changed, _ = files(Path(board.home), "waves")
    truncated.write_bytes(truncated.read_bytes()[:140])
    changed.write_text(changed.read_text().replace('"n_tokens": 8', '"n_tokens": 9', 1))
    assert complete(board, tiny_gguf) == rows


def test_a_partial_file_of_a_dead_process_is_deleted(board: Profile, tiny_gguf: Path) -> None:
    folder = Path(board.home) / "models"
    folder.mkdir(parents=True)
    (folder / f"{'a' * 64}.gguf.{2**22 + 1}.partial").write_bytes(b"half")
    complete(board, tiny_gguf)
    assert [path.suffix for path in folder.iterdir()] == [".gguf"]


def test_the_users_own_multiplexed_connection_outlives_a_session(
    server: sshd.Server, tmp_path: Path, tiny_gguf: Path
) -> None:
    """Our client used to become the master, and ended the user's sessions when it was killed."""
    config, socket = tmp_path / "config", tmp_path / "m"
    config.write_text(server.config.read_text() + f"  ControlMaster auto\n  ControlPath {socket}\n")
    assert complete(make_board(server, tmp_path, ssh_config=str(config)), tiny_gguf)
    assert not socket.exists()
    own = subprocess.Popen(["ssh", "-F", str(config), "board", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert own.stdin is not None
    assert own.stdout is not None
    own.stdin.write(b"before\n")
    own.stdin.flush()
    assert own.stdout.readline() == b"before\n"
    assert complete(make_board(server, tmp_path, ssh_config=str(config)), tiny_gguf)
    assert own.communicate(b"after\n", timeout=20)[0] == b"after\n"
    assert own.returncode == 0


def test_clean_deletes_only_what_is_ours(board: Profile, tiny_gguf: Path) -> None:
    complete(board, tiny_gguf)
    mine = Path(board.home) / "models" / "my-own-llama.gguf"
    mine.write_bytes(b"mine")
    (Path(board.home) / "models" / "folder").mkdir()
    coming = Path(board.home) / "models" / f"{'a' * 64}.gguf.{os.getpid()}.partial"
    coming.write_bytes(b"half of a file that another session is sending")
    freed = ask_runner(board, ["clean", "--home", HOME]).output["bytes"]
    assert freed > tiny_gguf.stat().st_size
    left = {path.name for path in files(Path(board.home), "models")}
    assert left == {coming.name, "folder", "my-own-llama.gguf"}
    assert files(Path(board.home), "waves") == []


def test_one_runner_at_a_time_and_a_dead_one_holds_nothing(board: Profile, tiny_gguf: Path) -> None:
    with open_session(board, tiny_gguf, settings=SETTINGS):
        assert "pi (board) is in use: process " in error_of(board, tiny_gguf)
    assert (Path(board.home) / "lock").is_file()
    assert complete(board, tiny_gguf)


def test_a_runner_that_dies_on_the_board_is_reported_with_its_signal(
    server: sshd.Server, board: Profile, tiny_gguf: Path
) -> None:
    with (
        pytest.raises(TargetError, match=r"The runner on pi \(board\) was killed by SIGKILL while .*memory runs out"),
        open_session(board, tiny_gguf, settings=SETTINGS) as session,
    ):
        os.kill(int((Path(board.home) / "lock").read_text()), signal.SIGKILL)
        list(session.complete(WAVES))


def test_a_wrong_key(server: sshd.Server, tmp_path: Path, tiny_gguf: Path) -> None:
    stranger = sshd.make_key(tmp_path / "stranger")
    config = tmp_path / "config"
    config.write_text(server.config.read_text().replace(str(server.folder / "user"), str(stranger)))
    said = error_of(make_board(server, tmp_path, ssh_config=str(config)), tiny_gguf)
    assert said.startswith("Cannot connect to pi (board): ")
    assert "Permission denied" in said
    assert "ssh-add" in said


def test_a_host_whose_key_is_unknown_is_not_trusted(server: sshd.Server, tmp_path: Path, tiny_gguf: Path) -> None:
    config = tmp_path / "config"
    config.write_text(server.config.read_text().replace("known_hosts", "unknown_hosts"))
    said = error_of(make_board(server, tmp_path, ssh_config=str(config)), tiny_gguf)
    assert (
        said == "Cannot connect to pi (board): Host key verification failed. Connect once by hand and check its key: "
        "ssh board"
    )
    assert not (server.folder / "unknown_hosts").exists()


def test_a_host_that_is_gone(server: sshd.Server, tmp_path: Path, tiny_gguf: Path) -> None:
    config = sshd.write_client_config(server.folder, sshd.free_port())
    try:
        said = error_of(make_board(server, tmp_path, ssh_config=str(config)), tiny_gguf)
    finally:
        sshd.write_client_config(server.folder, server.port)
    assert "Connection refused. Is sshd running there, on this port?" in said


def test_a_name_that_does_not_resolve(server: sshd.Server, tmp_path: Path, tiny_gguf: Path) -> None:
    said = error_of(make_board(server, tmp_path, host="nobody.invalid"), tiny_gguf)
    assert "Could not resolve hostname" in said or "Temporary failure" in said


def test_a_missing_runtime(server: sshd.Server, tmp_path: Path, tiny_gguf: Path) -> None:
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    bare.chmod(0o755)
    (tmp_path / "home" / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "home" / "venv" / "bin" / "python3").symlink_to(bare)
    said = error_of(make_board(server, tmp_path), tiny_gguf)
    assert said.startswith("pi (board) lacks a runtime: ")
    assert said.endswith(f"Install it with: fdd-edge targets setup {tmp_path / 'pi.yaml'}"), "pi alone names no profile"


def test_a_runtime_without_its_libraries(server: sshd.Server, tmp_path: Path, tiny_gguf: Path) -> None:
    """A minimal Debian lacks libgomp: after setup the board was reported as ready, but no model could run there."""
    package = tmp_path / "modules" / "llama_cpp"
    package.mkdir(parents=True)
    reason = "libgomp.so.1: cannot open shared object file: No such file or directory"
    (package / "__init__.py").write_text(f"raise RuntimeError({reason!r})\n")
    python = tmp_path / "home" / "venv" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH={package.parent} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    board = make_board(server, tmp_path)
    assert error_of(board, tiny_gguf).endswith(f"does not load: {reason}. On Debian: apt install libgomp1.")
    (broken,) = [check for check in check_target(board) if check.what == "llama-cpp-python"]
    assert broken.found == f"{RUNTIME_VERSIONS['llama-cpp-python']} does not load: {reason}"
    assert broken.fix == "apt install libgomp1 (on the board)"
    with pytest.raises(TargetError, match="does not load"):
        require_ready(board, ["gguf"])


def test_a_runtime_that_kills_the_process_that_loads_it(server: sshd.Server, tmp_path: Path) -> None:
    """It used to kill `info`, and with it the command that installs another one."""
    package = tmp_path / "modules" / "llama_cpp"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    python = tmp_path / "home" / "venv" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH={package.parent} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    board = make_board(server, tmp_path)
    (broken,) = [check for check in check_target(board) if check.what == "llama-cpp-python"]
    assert broken.found.endswith("does not load: importing it ends with SIGILL: it was compiled for another CPU")
    assert broken.fix == f"fdd-edge targets setup {board.argument}"


def test_a_board_of_another_architecture(server: sshd.Server, tmp_path: Path, tiny_gguf: Path) -> None:
    """Answers of an x86 server used to be reported as those of a Raspberry Pi."""
    other = "aarch64" if platform.machine() == "x86_64" else "x86_64"
    said = error_of(make_board(server, tmp_path, architecture=other), tiny_gguf)
    assert f"is {platform.machine()}, but its profile is for {other}" in said


def test_a_board_without_a_feature_of_its_profile(server: sshd.Server, tmp_path: Path, tiny_gguf: Path) -> None:
    """Only doctor reported it; a run continued until the runtime died, or used other kernels."""
    board = make_board(server, tmp_path, features=["sse9"])
    assert "lacks sse9, which its profile lists" in error_of(board, tiny_gguf)
    with pytest.raises(TargetError, match="features: lacks sse9"):
        require_ready(board, ["gguf"])


def test_a_board_that_accepts_the_connection_and_sends_nothing(
    server: sshd.Server, tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It used to be reported as the exit code of the process that we killed."""
    monkeypatch.setattr("fdd_edge.targets.ssh.GREETING_SECONDS", 1.0)
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    silent.chmod(0o755)
    said = error_of(make_board(server, tmp_path, python=str(silent)), tiny_gguf)
    assert said == ("Cannot connect to pi (board): no answer within 1 s. Check that `ssh board true` returns.")


def test_another_version_of_the_runtime(board: Profile, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = RUNTIME_VERSIONS["llama-cpp-python"]
    monkeypatch.setitem(RUNTIME_VERSIONS, "llama-cpp-python", "9.9.9")
    said = error_of(board, tiny_gguf)
    assert said == (
        f"pi (board) has llama-cpp-python {installed}, but this version of fdd-edge needs 9.9.9. Run: fdd-edge "
        f"targets setup {board.argument}"
    )


def test_no_python_on_the_board(server: sshd.Server, tmp_path: Path, tiny_gguf: Path) -> None:
    said = error_of(make_board(server, tmp_path, python="python9.9"), tiny_gguf)
    assert said.startswith("pi (board) has no python9.9. Install Python 3.11 or later there")


def test_a_broken_file_is_the_users_fault_not_the_boards(board: Profile, tmp_path: Path) -> None:
    path = tmp_path / "text.gguf"
    path.write_text("hello")
    with pytest.raises(FddError, match="is not a GGUF file") as error:
        complete(board, path)
    assert error.value.exit_code == 2


def test_a_login_shell_that_prints(tmp_path: Path, tiny_gguf: Path) -> None:
    """Output of ~/.bashrc before the runner's first line used to be taken for a broken protocol."""
    talkative = tmp_path / "python"
    talkative.write_text(f"#!/bin/sh\necho Welcome\nprintf 'no end of line'\nexec {sys.executable} \"$@\"\n")
    talkative.chmod(0o755)
    with sshd.serve(tmp_path / "server") as server:
        assert complete(make_board(server, tmp_path, python=str(talkative)), tiny_gguf)


def test_a_full_disk(tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that does not fit, one that fills the disk during the transfer, and a wave that cannot be stored."""
    home = tmp_path / "home"
    home.mkdir()
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if not sshd.is_required():
        pytest.skip("mounts a small disk in a namespace of its own: set FDD_EDGE_TEST_SSH=required")
    assert subprocess.run([*unshare, "true"], check=False).returncode == 0, "no mount namespace of one's own here"
    mount = [*unshare, "sh", "-c", f'mount -t tmpfs -o size=24m,mode=700 tmpfs {home} && exec "$0" "$@"']
    with sshd.serve(tmp_path / "server", before=mount) as server:
        board = make_board(server, tmp_path)
        rows = complete(board, tiny_gguf)
        large = tmp_path / "large.gguf"
        large.write_bytes(tiny_gguf.read_bytes() + bytes(30_000_000))
        said = error_of(board, large)
        assert "MB free in" in said
        assert said.endswith(f"Free some space, or run: fdd-edge targets clean {board.argument}")
        monkeypatch.setattr("fdd_edge.targets.ssh._RESERVED_BYTES", -(10**9))
        said = error_of(board, large)
        assert said.startswith("pi (board) failed while receiving files: No space left on device")
        assert f"fdd-edge targets clean {board.argument}" in said
        filling = tmp_path / "filling.gguf"
        filling.write_bytes(tiny_gguf.read_bytes() + bytes(ask_runner(board, ["info"]).facts.free - 500_000))
        wordy = Settings(Decoding(100, batch_size=2, threads=1))
        many = plan_waves([Task(f"p{i}", 0, f"{i} and {i}?") for i in range(4000)], 400)
        got: list[int] = []
        with (
            pytest.raises(TargetError, match="No space left on device"),
            open_session(board, filling, settings=wordy) as session,
        ):
            got += [result.index for result in session.complete(many)]
        assert ask_runner(board, ["clean", "--home", HOME]).output["bytes"] > 20_000_000
        assert complete(board, tiny_gguf) == rows


@pytest.mark.parametrize("host", ["-oProxyCommand=touch${IFS}pwned", "board; touch pwned", "$(touch pwned)", ""])
def test_an_invalid_host_is_refused(host: str, tmp_path: Path) -> None:
    path = tmp_path / "pi.yaml"
    path.write_text(json.dumps({"transport": "ssh", "host": host}))
    with pytest.raises(FddError, match="host"):
        load_profile(str(path))


@pytest.mark.parametrize("name", ["a'b; touch pwned", "x$(touch pwned)", "with space"])
def test_names_never_reach_a_shell(name: str, server: sshd.Server, tmp_path: Path, tiny_gguf: Path) -> None:
    artifact = tmp_path / f"{name}.gguf"
    artifact.write_bytes(tiny_gguf.read_bytes())
    board = make_board(server, tmp_path, home=str(tmp_path / name))
    assert complete(board, artifact)
    assert files(tmp_path / name, "waves")
    assert not list(Path.home().glob("pwned"))


def test_a_host_in_the_environment(
    server: sshd.Server, tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = make_board(server, tmp_path, host="${MY_BOARD}")
    with pytest.raises(FddError, match="Set MY_BOARD=user@host in the environment, or write your own profile"):
        complete(board, tiny_gguf)
    monkeypatch.setenv("MY_BOARD", "-oProxyCommand=true")
    with pytest.raises(FddError, match="is not a valid host"):
        complete(board, tiny_gguf)
    monkeypatch.setenv("MY_BOARD", "board")
    assert complete(board, tiny_gguf)


def test_an_onnx_model_is_sent_file_by_file(board: Profile, tiny_onnx: dict[str, Path]) -> None:
    """Graph, weights and tokenizer are stored in one folder there, named by the hash of all of them."""
    graph = tiny_onnx["int4"]
    assert complete(board, graph) == complete(load_profile("local"), graph)
    (folder,) = files(Path(board.home), "models")
    assert {"model.onnx", "model.onnx.data", "tokenizer.json"} <= {path.name for path in folder.iterdir()}
    (folder / "model.onnx.data").write_bytes(b"bits were lost")
    assert complete(board, graph) == complete(load_profile("local"), graph)
    ask_runner(board, ["clean", "--home", HOME])
    assert files(Path(board.home), "models") == []
