"""Temporary folders: deleted at the end, or, if their process was killed, by the next one; nobody else's ever are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fdd_edge.runs.atomic import build_once
from fdd_edge.runs.marked_folder import marked_folder, sweep, temporary_folder
from fdd_edge.runs.own_files import MARK

PREFIX = "fdd-edge-eval"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of this test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path


def killed(program: str, *arguments: object) -> None:
    """Run a program that kills itself."""
    code = f"import os, signal, sys\nfrom pathlib import Path\n{program}"
    ran = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=False)
    assert ran.returncode == -signal.SIGKILL


def leave(parent: Path) -> Path:
    """Let a process be killed in a marked folder; return the folder, with its content."""
    before = set(parent.iterdir())
    killed(
        "from fdd_edge.runs.marked_folder import marked_folder\n"
        f"with marked_folder(Path(sys.argv[1]), {PREFIX!r}) as folder:\n"
        "    (folder / 'sub').mkdir()\n"
        "    (folder / 'sub' / 'rows').write_text('x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n",
        parent,
    )
    (left,) = set(parent.iterdir()) - before
    return left


def test_it_is_gone_at_the_end(temporary: Path) -> None:
    with temporary_folder("eval") as folder:
        (folder / "rows").write_text("x")
        assert folder.parent == temporary
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_deleted_by_the_next(temporary: Path) -> None:
    """A folder with the rows stayed in /tmp for ever."""
    left = leave(temporary)
    with temporary_folder("eval"):
        assert not left.exists()


def test_one_in_use_stays_also_with_the_number_of_a_process_that_is_gone(temporary: Path) -> None:
    """In another container, process numbers say nothing: the lock counts."""
    with marked_folder(temporary, PREFIX) as folder:
        assert sweep(temporary) == 0
        assert folder.is_dir()
        gone = folder.rename(folder.with_name(f"{PREFIX}-4194305-abcdefgh"))
        assert sweep(temporary) == 0
        gone.rename(folder)


def test_a_folder_of_the_users_that_is_called_alike_stays(temporary: Path) -> None:
    for name in (f"{PREFIX}-2023-mybackup", ".fdd-edge-models-2023-mybackup"):
        (temporary / name).mkdir()
        (temporary / name / "thesis").write_text("x")
    (temporary / f"{PREFIX}-2023-mybackup" / MARK).write_text("a note of mine")
    assert sweep(temporary) == 0
    assert len(list(temporary.rglob("thesis"))) == 2


def test_links_are_not_followed(temporary: Path) -> None:
    left = leave(temporary)
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "thesis").write_text("x")
    (left / "link").symlink_to(elsewhere)
    moved = left.rename(temporary / "moved")
    left.symlink_to(moved)
    assert sweep(temporary) == 0
    assert moved.is_dir()
    left.unlink()
    moved.rename(left)
    assert sweep(temporary) == 1
    assert (elsewhere / "thesis").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_those_of_another_user_stay(temporary: Path) -> None:
    left = leave(temporary)
    os.chown(left, 65534, 65534)
    assert sweep(temporary) == 0


def test_what_a_killed_conversion_left_in_the_cache_is_deleted(tmp_path: Path) -> None:
    """Half a gigabyte for a 135M student stayed hidden in the cache, once for every kill."""
    for _ in range(2):
        killed(
            "from fdd_edge.runs.atomic import build_once\n"
            "def make(folder):\n"
            "    (folder / 'model.safetensors').write_bytes(bytes(1000))\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
            "build_once(Path(sys.argv[1]), make)\n",
            tmp_path / "gguf-abc-v7",
        )
        assert len(list(tmp_path.iterdir())) == 1
    build_once(tmp_path / "tiny-v7", lambda folder: None)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-v7"]
