"""The folder on a board that holds models, runners and finished waves, and the lock that admits one runner at a time.

The host stores finished waves too. Those on the board survive the loss of the host or of the connection: the next
session gets them from here.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from .bootstrap import MODELS, RUNNERS, VENV, WAVES, WHEELS, fault_of_home
from .prompt import Prompt
from .protocol import ProtocolError, Request, RunnerError, Wave, WaveResult, decode_event, encode

__all__ = ["MODELS", "RUNNERS", "VENV", "WAVES", "WHEELS", "BoardDir", "WaveStore", "clean", "lock_board"]

_HASH = re.compile(r"[0-9a-f]{64}")
"""A model of several files is stored in a folder that is named by their hash."""

_OUR_FILES = {
    MODELS: re.compile(r"[0-9a-f]{64}(\.\w+)?(\.\d+\.partial)?"),
    RUNNERS: re.compile(r"runner-[0-9a-f]{16}\.pyz(\.\d+\.partial)?"),
    WAVES: re.compile(r"[0-9a-f]{64}\.json|tmp\w{8}\.partial"),
    WHEELS: re.compile(r".+\.whl(\.\d+\.partial)?"),
}
"""The files that this tool creates. Nothing else is ever deleted, whatever folder a profile names; nor is anything in a
folder that is a link. The environment in ``VENV`` stays."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""How a file system, such as some of NFS, says that it has no locks."""

_PID_DIGITS = 20
"""More than any process id has."""


class BoardDir(NamedTuple):
    """A board's folder, and how long to wait for others.

    Attributes:
        home: The folder; one runner at a time may use it.
        lock_timeout: Seconds to wait for another runner to release the folder.
        host_timeout: Seconds without a message after which the host is considered gone.
    """

    home: Path
    lock_timeout: float
    host_timeout: float


@contextmanager
def lock_board(home: Path, lock_timeout: float = 0.0) -> Iterator[None]:
    """Lock the board while the block runs; the kernel releases the lock if the process dies.

    Args:
        home: The board's folder.
        lock_timeout: Seconds to wait for another process, which may take a while to notice that its host is gone.

    Raises:
        RunnerError: Another process holds the lock, the folder is not writable, or others can write there.
    """
    with _disk_errors():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if fault := fault_of_home(home):
            raise RunnerError("device", fault)
        descriptor = _open_lock(home / "lock")
    try:
        _lock(descriptor, home, lock_timeout)
        with _disk_errors():
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    """Open the lock file, which is emptied and written to: never through a link.

    Raises:
        RunnerError: Something else has its name.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if path.is_symlink():
            raise RunnerError("device", f"{path} is a link, which is not followed; delete it") from None
        raise error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise RunnerError("device", f"{path} is not a lock file of this tool; delete it")
    return descriptor


def _lock(descriptor: int, home: Path, lock_timeout: float) -> None:
    deadline = time.monotonic() + lock_timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise RunnerError(
                    "busy", f"process {_holder(descriptor)} is decoding there. Wait until it has finished, or stop it."
                ) from None
            time.sleep(0.1)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            raise RunnerError(
                "device", f"the disk of {home} has no locks ({error.strerror}); set home to a folder on another disk"
            ) from None


def _holder(descriptor: int) -> str:
    """Return the process id in a lock file, or a question mark."""
    text = os.pread(descriptor, _PID_DIGITS, 0).strip()
    return text.decode("ascii") if text.isdigit() else "?"


class WaveStore:
    """Finished waves on the board's disk, looked up by everything that their rows depend on."""

    def __init__(self, home: Path, request: Request, prompt: Prompt, runtime: str) -> None:
        """Open the store for the waves of one request.

        Args:
            home: The board's folder.
            request: Model file and settings; the file is named by the hash of its content.
            prompt: The prompt as it was rendered: that of a chat template that prints the date changes at midnight.
            runtime: Version and build of the runtime and of the runner.
        """
        self._folder = home / WAVES
        asked = replace(request, prompt=None, shots=(), rendered_at=None)  # the prompt is made from these
        self._key = f"{runtime}\n{encode(asked)}\n{prompt.key}"
        # We hold the lock, so any partial file was left by a runner that died.
        for partial in self._folder.glob("tmp*.partial"):
            if _OUR_FILES[WAVES].fullmatch(partial.name):
                partial.unlink(missing_ok=True)

    def find(self, wave: Wave) -> WaveResult | None:
        """Return the stored result of a wave, or None if there is none or its file is damaged."""
        with suppress(OSError, ProtocolError, UnicodeDecodeError):
            digest, _, line = self._path(wave).read_text(encoding="utf-8").partition("\n")
            if digest == _sha256(line) and isinstance(event := decode_event(line), WaveResult):
                return replace(event, index=wave.index)
        return None

    def save(self, wave: Wave, result: WaveResult) -> None:
        """Store a result atomically, so that even after a power cut the file is complete or absent.

        Raises:
            RunnerError: It cannot be written, for example because the disk is full.
        """
        with _disk_errors():
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, partial = tempfile.mkstemp(dir=self._folder, suffix=".partial")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    line = encode(result)
                    file.write(f"{_sha256(line)}\n{line}")
                    file.flush()
                    os.fsync(file.fileno())
                Path(partial).replace(self._path(wave))
            except OSError:
                Path(partial).unlink(missing_ok=True)
                raise

    def _path(self, wave: Wave) -> Path:
        tasks = encode(replace(wave, index=0))
        name = _sha256(f"{self._key}\n{tasks}")
        return self._folder / f"{name}.json"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()


def clean(home: Path) -> int:
    """Delete everything we store on a board except its runtime; return the number of bytes freed.

    Raises:
        RunnerError: A runner is using the board.
    """
    freed = 0
    with lock_board(home), _disk_errors():
        ours = [
            path for name, names in _OUR_FILES.items() for path in _inside(home / name) if names.fullmatch(path.name)
        ]
        folders = [path for path in ours if path.is_dir() and not path.is_symlink() and _HASH.fullmatch(path.name)]
        for path in [*ours, *(p for folder in folders for p in folder.iterdir())]:
            if path.is_file() and not path.is_symlink() and not _is_being_received(path):
                freed += path.stat().st_size
                path.unlink()
        for folder in folders:
            with suppress(OSError):  # a file is being received into it
                folder.rmdir()
    return freed


def _inside(folder: Path) -> list[Path]:
    """Return what is in a folder; nothing if it is a link, which leads to a folder that is not ours."""
    return [] if folder.is_symlink() else list(folder.glob("*"))


def _is_being_received(path: Path) -> bool:
    """Return whether another session is receiving this file right now."""
    owner = path.name.split(".")[-2:-1]
    return path.suffix == ".partial" and owner[0].isdecimal() and Path("/proc", owner[0]).exists()


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn an error of the disk into one that is reported to the host."""
    try:
        yield
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise RunnerError("device", f"{error.strerror}{where}") from None
