"""What takes long to make is made once per test session, and every worker of pytest-xdist finds it."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


class Shared:
    """Folders that all workers share: the first one to need a folder fills it under a lock, and the others wait.

    The recipe is from the documentation of pytest-xdist ("Making session-scoped fixtures execute only once"). What lies
    in a folder is read-only: a test that changes it works on a copy.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return a folder that ``make`` has filled, in this worker or in another one."""
        folder, done = self.root / name, self.root / f"{name}.done"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (self.root / f"{name}.lock").open("w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # what a worker that failed has left
                folder.mkdir()
                make(folder)
                done.write_text(state_of(folder), encoding="utf-8")
        return folder

    def changed(self) -> list[str]:
        """Return the names of the folders that a test has changed although all read them."""
        done = sorted(self.root.rglob("*.done"))
        return [
            path.relative_to(self.root).with_suffix("").as_posix()
            for path in done
            if state_of(path.with_suffix("")) != path.read_text(encoding="utf-8")
        ]


def state_of(folder: Path) -> str:
    """Return a line per file: its size, when it was last written (ns), its name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = [(path.stat(), path.relative_to(folder).as_posix()) for path in files]
    return "".join(f"{stat.st_size} {stat.st_mtime_ns} {name}\n" for stat, name in stats)


def shared_root(tmp_path_factory: pytest.TempPathFactory, worker: str | None) -> Path:
    """Return the folder of the session: the parent of the workers' own, or the only one there is without xdist."""
    own = tmp_path_factory.getbasetemp()
    root = (own.parent if worker else own) / "shared"
    root.mkdir(exist_ok=True)
    return root
