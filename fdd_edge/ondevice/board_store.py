"""A board's own folder: one runner at a time, and the waves it has finished.

The host keeps finished waves too. These outlive it: whatever breaks, the next session is answered from here.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from .protocol import ProtocolError, Request, RunnerError, Wave, WaveResult, decode_event, encode

__all__ = ["MODELS", "RUNNERS", "VENV", "WAVES", "WHEELS", "BoardDir", "KeptWaves", "clean", "lock_board"]

MODELS, RUNNERS, WAVES, WHEELS = "models", "runners", "waves", "runtime-wheels"
"""Folders of a board's folder; all they hold can be made again."""

VENV = "venv"
"""The runtime's own environment; ``clean`` leaves it."""

_HASH = re.compile(r"[0-9a-f]{64}")
"""The folder of a model that has several files is named by their hash."""

_OWN = {
    MODELS: re.compile(r"[0-9a-f]{64}(\.\w+)?(\.\d+\.partial)?"),
    RUNNERS: re.compile(r"runner-[0-9a-f]{16}\.pyz(\.\d+\.partial)?"),
    WAVES: re.compile(r"[0-9a-f]{64}\.json|tmp\w+\.partial"),
    WHEELS: re.compile(r".+\.whl(\.\d+\.partial)?"),
}
"""What this tool has put there: nothing else is ever deleted, whatever folder a profile names."""


class BoardDir(NamedTuple):
    """A board as a runner finds it.

    Attributes:
        home: Its folder, which one runner holds at a time, and where finished waves are kept.
        patience: Seconds to wait for another runner to leave it.
        silence: Seconds after which a host that says nothing is taken for gone.
    """

    home: Path
    patience: float
    silence: float


@contextmanager
def lock_board(home: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold the board; the system drops the lock of a process that dies, however it dies.

    Args:
        home: The board's folder.
        patience: Seconds to wait for another process: one whose host has gone needs a while to notice.

    Raises:
        RunnerError: Another process holds it, or the folder cannot be written to.
    """
    with _device_faults():
        home.mkdir(parents=True, exist_ok=True)
        file = (home / "lock").open("a+", encoding="ascii")
    with file:
        _lock(file.fileno(), home, patience)
        with _device_faults():
            file.seek(0)
            file.truncate()
            file.write(f"{os.getpid()}\n")
            file.flush()
        yield


def _lock(descriptor: int, home: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = (home / "lock").read_text(encoding="ascii").strip() or "?"
                raise RunnerError("busy", f"process {holder} there is evaluating; wait or stop it.") from None
            time.sleep(0.1)


class KeptWaves:
    """Finished waves on the board's disk, found by all that decides their rows."""

    def __init__(self, home: Path, request: Request, runtime: str) -> None:
        """Look for the waves of one request.

        Args:
            home: The board's folder.
            request: File, prompt and settings; the file's name is that of its content.
            runtime: Version and build of what decodes, and of the runner.
        """
        self._folder = home / WAVES
        self._made_by = f"{runtime}\n{encode(request)}"
        # The board is ours: whatever is half written was left by a runner that died.
        for torn in self._folder.glob("tmp*.partial"):
            torn.unlink(missing_ok=True)

    def find(self, wave: Wave) -> WaveResult | None:
        """Return the result of a wave if it was finished before; a damaged one was not."""
        with suppress(OSError, ProtocolError, UnicodeDecodeError):
            digest, _, line = self._place(wave).read_text(encoding="utf-8").partition("\n")
            if digest == _sha256(line) and isinstance(event := decode_event(line), WaveResult):
                return replace(event, index=wave.index)
        return None

    def keep(self, wave: Wave, result: WaveResult) -> None:
        """Write a result so that it is there whole, or not at all, also after a power cut.

        Raises:
            RunnerError: It cannot be written, as on a full disk.
        """
        with _device_faults():
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, partial = tempfile.mkstemp(dir=self._folder, suffix=".partial")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    line = encode(result)
                    file.write(f"{_sha256(line)}\n{line}")
                    file.flush()
                    os.fsync(file.fileno())
                Path(partial).replace(self._place(wave))
            except OSError:
                Path(partial).unlink(missing_ok=True)
                raise

    def _place(self, wave: Wave) -> Path:
        asked = encode(replace(wave, index=0))
        name = _sha256(f"{self._made_by}\n{asked}")
        return self._folder / f"{name}.json"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()


def clean(home: Path) -> int:
    """Delete what is kept on a board but for its runtime; return how many bytes that were.

    Raises:
        RunnerError: A runner is at work there.
    """
    freed = 0
    with lock_board(home), _device_faults():
        own = [p for name, ours in _OWN.items() for p in (home / name).glob("*") if ours.fullmatch(p.name)]
        folders = [path for path in own if path.is_dir() and _HASH.fullmatch(path.name)]
        for path in [*own, *(p for folder in folders for p in folder.iterdir())]:
            if path.is_file() and not _is_being_taken(path):
                freed += path.stat().st_size
                path.unlink()
        for folder in folders:
            with suppress(OSError):  # something is coming into it
                folder.rmdir()
    return freed


def _is_being_taken(path: Path) -> bool:
    """Say whether a file is one that is coming down another line just now."""
    owner = path.name.split(".")[-2:-1]
    return path.suffix == ".partial" and owner[0].isdigit() and Path("/proc", owner[0]).exists()


@contextmanager
def _device_faults() -> Iterator[None]:
    """Turn a fault of the disk into one that the host is told of."""
    try:
        yield
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise RunnerError("device", f"{error.strerror}{where}") from None
