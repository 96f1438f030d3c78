"""Code in a cache that others share: hashed, and run only if nobody else can change it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fdd_edge.errors import FddError
from fdd_edge.targets import load_profile, runner_archive
from fdd_edge.targets.runner_archive import pack_runner
from fdd_edge.targets.runtime_wheel import build_runtime, built_runtime, run_tool, runtime_folder
from fdd_edge.targets.sysroot import _cpu_folder, find_sysroot, remove_sysroot, site_folder, sysroot_folder

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user, which needs root")
ANOTHER = 65534


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("FDD_EDGE_CACHE", str(folder))
    return folder


@pytest.mark.parametrize("how", ["replaced", "cut", "link", "unreadable", "open"])
def test_a_runner_that_is_not_ours_is_made_again(cache: Path, how: str, tmp_path: Path) -> None:
    """What had the right name was run, sent to boards, and put into exported folders."""
    path = runner_archive()
    match how:
        case "replaced":
            path.write_bytes(b"print('planted')")
        case "cut":
            path.write_bytes(pack_runner()[:-1])
        case "link":
            (tmp_path / "copy").write_bytes(pack_runner())
            path.unlink()
            path.symlink_to(tmp_path / "copy")
        case "unreadable":
            path.chmod(0)
        case "open":
            path.chmod(0o666)
    assert runner_archive() == path
    assert path.read_bytes() == pack_runner()
    assert not path.is_symlink()
    if how != "unreadable" or os.geteuid() != 0:  # root reads it as it is
        assert path.stat().st_mode & 0o777 == 0o644


def check_private(path: Path, cache: Path) -> None:
    assert path.read_bytes() == pack_runner()
    assert cache not in path.parents
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("folder", ["", "runners"])
def test_in_a_folder_of_everybody_the_runner_is_not_used(cache: Path, folder: str) -> None:
    runner_archive()
    (cache / folder).chmod(0o777)
    check_private(runner_archive(), cache)


def test_where_the_cache_is_no_folder_the_runner_is_in_a_temporary_one(cache: Path) -> None:
    cache.write_text("a file")
    check_private(runner_archive(), cache)


def test_the_temporary_folder_is_gone_at_the_end(cache: Path) -> None:
    cache.write_text("a file")
    code = "from fdd_edge.targets import runner_archive as r; print(r()); assert r() == r() and r().is_file()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not Path(ran.stdout.strip()).parent.exists()


@as_root
def test_a_runner_of_another_user_is_not_used(cache: Path) -> None:
    path = runner_archive()
    os.chown(path, ANOTHER, -1)
    assert runner_archive() == path  # replaced: the folder is ours
    assert path.stat().st_uid == 0
    os.chown(path.parent, ANOTHER, -1)
    check_private(runner_archive(), cache)


@as_root
def test_a_second_user_can_use_the_cache_of_root(cache: Path) -> None:
    """It was written for its first user alone, and whoever came second could start no runner."""
    cache.mkdir()
    cache.chmod(0o1777)
    path = runner_archive()
    assert path.stat().st_mode & 0o777 == 0o644


def put_runtime() -> Path:
    wheel = runtime_folder(load_profile("rpi5")) / "llama_cpp_python-0-py3-none-linux_aarch64.whl"
    wheel.parent.mkdir(parents=True)
    wheel.touch()
    return wheel


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_wheel_that_others_could_have_put_there_is_refused(place: int) -> None:
    """A runtime is compiled code that runs on boards and in the emulator."""
    wheel = put_runtime()
    assert built_runtime(load_profile("rpi5")) == wheel
    (wheel, *wheel.parents)[place].chmod(0o777)
    for use in (built_runtime, build_runtime):
        with pytest.raises(
            FddError, match=r"holds code that cannot be trusted, because other users can write to .*Set"
        ):
            use(load_profile("rpi5"))


@as_root
def test_a_wheel_of_another_user_is_refused() -> None:
    wheel = put_runtime()
    os.chown(wheel, ANOTHER, -1)
    with pytest.raises(FddError, match=r"because .* belongs to another user"):
        built_runtime(load_profile("rpi5"))


@pytest.mark.parametrize("which", ["shared", "site", "cpu"])
def test_a_sysroot_that_others_could_have_changed_is_refused_but_can_be_deleted(which: str) -> None:
    profile = load_profile("rpi5-emulated")
    folders = {"shared": sysroot_folder(profile), "site": site_folder(profile), "cpu": _cpu_folder(profile)}
    for folder in folders.values():
        (folder / "usr" / "bin").mkdir(parents=True)
        (folder / "usr" / "bin" / "python3.11").touch()
    assert find_sysroot(profile) is not None
    folders[which].chmod(0o777)
    with pytest.raises(FddError, match="holds code that cannot be trusted"):
        find_sysroot(profile)
    remove_sysroot(profile)
    assert not any(folder.exists() for folder in folders.values())


def test_a_folder_in_the_place_of_a_runtime_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was deleted before the runtime was compiled, whatever it held."""
    monkeypatch.setattr("fdd_edge.targets.runtime_wheel.require_tools", lambda profile: None)
    folder = runtime_folder(load_profile("rpi5"))
    folder.mkdir(parents=True)
    (folder / "thesis.txt").touch()
    with pytest.raises(FddError, match="is in the way, and fdd-edge did not make it"):
        build_runtime(load_profile("rpi5"))
    assert (folder / "thesis.txt").exists()


def test_the_log_of_a_failed_tool_is_not_written_through_a_link(cache: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("my key")
    cache.mkdir()
    (cache / "log.txt").symlink_to(keys)
    failing = [sys.executable, "-c", "print('why'); raise SystemExit(3)"]
    with pytest.raises(FddError, match=r"failed while trying: why \(full output: .*log\.txt\)"):
        run_tool(failing, doing="trying")
    assert keys.read_text() == "my key"
    assert (cache / "log.txt").read_text() == "why\n"
    (cache / "log.txt").unlink()
    cache.rmdir()
    cache.write_text("a file")
    with pytest.raises(FddError, match=r"failed while trying: why$"):
        run_tool(failing, doing="trying")
