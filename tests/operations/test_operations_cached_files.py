"""The cache: what it holds, and what of it is deleted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import fdd_edge, fdd_edge_process

import fdd_edge as package
from fdd_edge import cache
from fdd_edge.errors import FddError
from fdd_edge.runs.own_files import MARK, MARK_TEXT

STUDENT, RUNNER, ROOT = "students/gguf-0123456789abcdef-v7", "runners/runner-0123456789abcdef.pyz", "roots"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with something of each sort, and things that are not ours."""
    monkeypatch.setattr(cache, "_held", {})
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "cache"))
    folder, elsewhere = tmp_path / "cache", tmp_path / "blobs"
    for name, size in {
        f"{STUDENT}/model.safetensors": 4000,
        "students/tiny-v5/model.safetensors": 300,
        "students/my-thesis/text": 7,
        "students/.abcdefgh/gguf-0123-v6/model.safetensors": 50,
        "students/.fdd-edge-making-4194305-abcdefgh/gguf-0123-v7/model.safetensors": 60,
        RUNNER: 200,
        "runners/tmpabcdefgh.partial": 20,
        "roots/aarch64-0123456789ab/usr/bin/python3.11": 1000,
        "runtimes/aarch64-0123456789ab/llama.whl": 500,
        "models/" + "0" * 64: 70,
        "log.txt": 3,
        f"certificates/{'1' * 64}/{'2' * 64}.json": 30,
        "wheels/0123456789ab/llama_cpp_python.whl": 40,
        "holiday/photo.jpg": 9,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(bytes(size))
    left = folder / "students/.fdd-edge-making-4194305-abcdefgh"
    (left / MARK).write_bytes(MARK_TEXT)
    for old in ("students/.abcdefgh", "runners/tmpabcdefgh.partial"):
        os.utime(folder / old, (0, 0))
    elsewhere.mkdir()
    (elsewhere / "weights").write_bytes(bytes(10_000))
    (folder / "hub/user/repo/0123").mkdir(parents=True)
    (folder / "hub/user/repo/0123/model.safetensors").symlink_to(elsewhere / "weights")
    (folder / "students/linked").symlink_to(elsewhere)
    return folder


def test_it_is_shown_by_kind(folder: Path) -> None:
    info = package.cache_info()
    sizes = {kind.name: kind.bytes for kind in info if kind.name != "hub"}
    assert sizes | {"other": 0, "leftovers": 0} == {
        "leftovers": 0,
        "students": 4300,
        "runners": 200,
        "log.txt": 3,
        "runtimes": 500,
        "roots": 1000,
        "models": 70,
        "certificates": 30,
        "wheels": 40,
        "other": 0,
    }
    assert sizes["leftovers"] >= 50 + 60 + 20
    assert {kind.name for kind in info if kind.deletable} == {"leftovers", "students", "hub", "runners", "log.txt"}
    shown = fdd_edge("cache")
    assert shown.returncode == 0
    assert all(kind.name in shown.stdout for kind in info)
    assert fdd_edge("cache", "--json").stdout.startswith('{"path": ')


def test_only_what_can_easily_be_made_again_is_deleted(folder: Path, tmp_path: Path) -> None:
    cleaned = package.clean_cache()
    left = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    assert left == [
        ".lock",
        f"certificates/{'1' * 64}/{'2' * 64}.json",
        "holiday/photo.jpg",
        "models/" + "0" * 64,
        "roots/aarch64-0123456789ab/usr/bin/python3.11",
        "runtimes/aarch64-0123456789ab/llama.whl",
        "students/my-thesis/text",
        "wheels/0123456789ab/llama_cpp_python.whl",
    ]
    assert (tmp_path / "blobs" / "weights").exists()
    assert (folder / "students" / "linked").is_symlink()
    assert cleaned.freed > 4500
    assert cleaned.deletable_bytes == 0
    assert package.clean_cache().freed == 0


def test_nothing_is_deleted_without_a_yes(folder: Path) -> None:
    refused = fdd_edge_process("cache", "--clean")
    assert (refused.returncode, (folder / RUNNER).exists()) == (2, True)
    assert "add --yes" in refused.stderr
    assert fdd_edge("cache", "--yes").returncode == 2
    done = fdd_edge("cache", "--clean", "--yes")
    assert (done.returncode, (folder / RUNNER).exists()) == (0, False)
    assert "MB freed" in done.stdout


def test_nothing_is_deleted_while_another_process_uses_the_cache(folder: Path) -> None:
    """A run would lose the student that it trains."""
    program = "from fdd_edge.cache import cache_folder\ncache_folder('students')\nprint('holds', flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == b"holds\n"
        with pytest.raises(FddError, match="is in use by another fdd-edge"):
            package.clean_cache()
        assert (folder / STUDENT).is_dir()
        user.communicate(b"\n")
    assert package.clean_cache().freed > 0


def test_nothing_is_deleted_while_this_machine_is_a_board_at_work(folder: Path) -> None:
    from fdd_edge.ondevice.board_store import lock_board

    with lock_board(folder), pytest.raises(FddError, match="is in use"):
        package.clean_cache()
    assert (folder / RUNNER).exists()


def test_a_cache_that_is_not_there_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "none"))
    assert package.clean_cache().kinds == []
    assert not (tmp_path / "none").exists()
