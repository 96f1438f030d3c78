"""An ARM CPU on this machine, in the real sysroot that `fdd-edge targets create rpi5-emulated` creates."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sshd

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice.protocol import Completion, Decoding, Settings, Task
from fdd_edge.operations.bench import measure
from fdd_edge.targets import Profile, TargetRuntime, load_profile, open_session, plan_waves, sysroot
from fdd_edge.targets.diagnostics import check_target
from fdd_edge.targets.runtime_wheel import runtime_folder
from fdd_edge.targets.sysroot import create_sysroot, emulator, find_sysroot, remove_sysroot, site_folder, sysroot_folder

pytestmark = pytest.mark.slow

SETTINGS = Settings(Decoding(6, batch_size=2, threads=1))
WAVES = plan_waves([Task(f"p{i}", 0, f"{i} and {i}?") for i in range(6)], 2)


def complete(profile: Profile, artifact: Path) -> list[Completion]:
    with open_session(profile, artifact, settings=SETTINGS) as session:
        results = sorted(session.complete(WAVES), key=lambda result: result.index)
    return [row for result in results for row in result.completions]


def test_a_file_answers_on_the_boards_cpu(pi5: Profile, tiny_gguf: Path) -> None:
    with open_session(pi5, tiny_gguf, settings=SETTINGS) as session:
        results = sorted(session.complete(WAVES), key=lambda result: result.index)
        info = session.info
    assert (info.machine, info.cpu) == ("aarch64", "cortex-a76 in QEMU")
    assert {"asimddp", "asimdhp"} <= set(info.cpu_features)
    assert not {"sve", "i8mm", "avx2"} & set(info.cpu_features), "QEMU's default is every feature there is"
    assert "DOTPROD = 1" in info.system_info
    rows = [row for result in results for row in result.completions]
    assert [row.problem_id for row in rows] == [f"p{i}" for i in range(6)]
    assert rows == complete(pi5, tiny_gguf)
    here = complete(load_profile("local"), tiny_gguf)
    assert [row.prompt_ids_sha for row in rows] == [row.prompt_ids_sha for row in here]


@pytest.mark.parametrize("kind", ["fp32", "int8", "int4"])
def test_an_onnx_model_answers_on_the_boards_cpu(pi5: Profile, tiny_onnx: dict[str, Path], kind: str) -> None:
    """ONNX Runtime asks the system for the CPU's features; it used to read those of the machine, and crashed."""
    with open_session(pi5, tiny_onnx[kind], settings=SETTINGS) as session:
        results = sorted(session.complete(WAVES), key=lambda result: result.index)
        info = session.info
    assert (info.machine, info.cpu, info.runtime) == ("aarch64", "cortex-a76 in QEMU", "onnxruntime")
    rows = [row for result in results for row in result.completions]
    here = complete(load_profile("local"), tiny_onnx[kind])
    assert [row.prompt_ids_sha for row in rows] == [row.prompt_ids_sha for row in here]
    if kind == "fp32":
        assert rows == here


def test_one_process_per_core(pi5: Profile, tiny_gguf: Path, tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(json.dumps({"extends": "rpi5-emulated", "processes": 2}))
    with open_session(load_profile(str(path)), tiny_gguf, settings=SETTINGS) as session:
        assert session.runners == 2
        results = sorted(session.complete(WAVES), key=lambda result: result.index)
    assert [row for result in results for row in result.completions] == complete(pi5, tiny_gguf)


def test_an_arm_board_behind_ssh(pi5: Profile, tiny_gguf: Path, tmp_path: Path) -> None:
    """A real server whose board has the emulated CPU, and answers as that CPU does without a server.

    Because it is reached by ssh, its times used to be taken for a board's and compared with budgets.
    """
    made = find_sysroot(pi5)
    assert made is not None
    own = tmp_path / "home" / "venv" / "bin" / "python3"
    own.parent.mkdir(parents=True)
    settings = " ".join(f"{name}='{value}'" for name, value in made.variables(pi5).items())
    own.write_text(f'#!/bin/sh\nexec env {settings} {emulator(pi5)} -L {made.folder} {made.python} "$@"\n')
    own.chmod(0o755)
    with sshd.serve(tmp_path / "server") as server:
        path = tmp_path / "pi.yaml"
        keys = {
            "architecture": "aarch64",
            "features": ["asimddp", "asimdhp"],
            "budgets": {"max_size_mb": 0.001, "max_rss_mb": 1, "min_tokens_per_s": 1e9},
        }
        path.write_text(json.dumps(server.profile(tmp_path / "home", **keys)))
        board = load_profile(str(path))
        assert [check for check in check_target(board) if check.fix] == []
        assert complete(board, tiny_gguf) == complete(pi5, tiny_gguf)
        (size,) = measure(tiny_gguf, runtime=TargetRuntime(board, "gguf")).broken_budgets
        assert "MB on disk" in size


def test_doctor_finds_nothing_missing(pi5: Profile) -> None:
    checks = list(check_target(pi5))
    assert [check for check in checks if check.fix] == []
    assert {"emulator", "sysroot", "cpu", "features", "llama-cpp-python"} <= {check.what for check in checks}


def test_a_target_that_was_not_created(tiny_gguf: Path) -> None:
    with (
        pytest.raises(TargetError, match="fdd-edge targets create rpi5-emulated") as error,
        open_session(load_profile("rpi5-emulated"), tiny_gguf, settings=SETTINGS),
    ):
        pass
    assert error.value.exit_code == 6


def test_cleaning_one_target_leaves_what_another_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Pi 4 and the Pi 5 share a sysroot, which used to be deleted with the first of them."""
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path))
    pi4, pi5 = load_profile("rpi4-emulated"), load_profile("rpi5-emulated")
    write_shared(pi4, pi5)
    made = [create_sysroot(profile) for profile in (pi4, pi5)]
    assert len({root.folder for root in made}) == 2
    assert find_sysroot(pi5) is not None
    remove_sysroot(pi5)
    assert find_sysroot(pi5) is None
    assert find_sysroot(pi4) is not None
    assert remove_sysroot(pi4) >= 4
    assert not sysroot_folder(pi4).exists()


def test_a_variant_of_a_target_shares_its_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cleaning the variant used to delete the runtime of the target that it extends."""
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path))
    (tmp_path / "mine.yaml").write_text(json.dumps({"extends": "rpi5-emulated", "features": ["fp", "asimd"]}))
    pi5, mine = load_profile("rpi5-emulated"), load_profile(str(tmp_path / "mine.yaml"))
    write_shared(pi5)
    create_sysroot(pi5)
    assert find_sysroot(mine) is None  # looking for it does not create it
    create_sysroot(mine)
    remove_sysroot(mine)
    assert find_sysroot(mine) is None
    assert find_sysroot(pi5) is not None


def test_a_cache_may_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The links of a sysroot used to be absolute, and a moved cache ended in a traceback."""
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "old"))
    pi5 = load_profile("rpi5-emulated")
    write_shared(pi5)
    create_sysroot(pi5)
    (tmp_path / "old").rename(tmp_path / "new")
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "new"))
    found = find_sysroot(pi5)
    assert found is not None
    assert found.python.read_bytes() == b"1234"


def test_two_processes_create_a_target_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower one used to end with a traceback."""
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path))
    pi5 = load_profile("rpi5-emulated")
    write_shared(pi5)
    both = threading.Barrier(2)
    link = sysroot._link
    monkeypatch.setattr(sysroot, "_link", lambda profile, folder: (link(profile, folder), both.wait()))
    with ThreadPoolExecutor(2) as threads:
        made = list(threads.map(create_sysroot, [pi5, pi5]))
    assert made[0] == made[1] == find_sysroot(pi5)


def write_shared(*profiles: Profile) -> None:
    """Put stand-ins for what takes minutes to create into the cache: a sysroot with a Python, a wheel, packages."""
    for profile in profiles:
        python = sysroot_folder(profile) / "usr" / "bin" / "python3.11"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_bytes(b"1234")
        site_folder(profile).mkdir(parents=True)
        runtime_folder(profile).mkdir()
        (runtime_folder(profile) / "llama_cpp_python-0-py3-none-any.whl").touch()


def test_creating_a_target_without_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(
        FddError, match=r"There is no qemu-aarch64-static on this machine\. On Debian: apt install qemu-user-static"
    ):
        create_sysroot(load_profile("rpi5-emulated"))


def test_a_board_and_its_emulation_run_the_same_build() -> None:
    from fdd_edge.targets.runtime_wheel import runtime_folder

    folders = {name: runtime_folder(load_profile(name)) for name in ("rpi5", "rpi5-emulated", "rpi4", "rpi4-emulated")}
    assert folders["rpi5"] == folders["rpi5-emulated"]
    assert folders["rpi4"] == folders["rpi4-emulated"]
    assert folders["rpi4"] != folders["rpi5"]
