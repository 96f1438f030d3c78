"""The first code that runs on a board. It is sent as source, receives files, and starts the runner on the same pipes.

Host and board take turns, so that nothing meant for the runner is read here:

    host   this source
    board  MARK and the versions of Python and machine; whatever a login shell prints before that is ignored
    host   {"home": ..., "files": [{"path", "sha256", "bytes"}, ...], "arguments": [...]}
    board  {"missing": [index, ...], "free": bytes, ...}, or {"error": ...}
    host   the bytes of each missing file, one after the other
    board  {"paths": [...]}, or {"error": ...}; from here on the pipes belong to the runner, the first of the files

All names travel in these messages and none in the command, so that no shell ever interprets one. The package is not
on the board yet: only the standard library may be used, and only syntax of Python 3.7, so that an old Python gets as
far as reporting that it is too old.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

MARK = "fdd-edge board 1 "
REQUIRED_PYTHON = (3, 11)
HOME = "{home}"
"""Placeholder for the board's folder in the arguments."""
_CHUNK = 1 << 20
STEERING_PREFIXES = ("GGML_", "LLAMA_", "OMP_", "PYTHON")
"""Environment variables with these prefixes steer the runtime or Python. They are removed, so that rows do not depend
on the board's shell."""


class File(NamedTuple):
    """A file that the host wants to be here, under ``path`` in the board's folder."""

    path: str
    sha256: str
    bytes: int


def main() -> None:
    """Receive files, then run the runner."""
    version = ".".join(map(str, sys.version_info[:3]))
    # On a line of its own, even if the login shell left one unfinished.
    _write("\n" + MARK + json.dumps({"python": version, "machine": os.uname().machine}))
    request = _receive_message()
    home = Path(request["home"]).expanduser()
    home = home if home.is_absolute() else Path.home() / home
    venv = home / "venv" / "bin" / "python3"
    python = str(venv) if venv.exists() else sys.executable
    if not venv.exists() and sys.version_info < REQUIRED_PYTHON:
        _fail("python", f"{python} is Python {version}")
    files = [File(**file) for file in request["files"]]
    paths = [home / file.path for file in files]
    try:
        home.mkdir(parents=True, exist_ok=True)
        missing = [i for i, path in enumerate(paths) if not _is_present(path, files[i])]
        _send({"missing": missing, "free": shutil.disk_usage(home).free, "home": str(home), "python": python})
        for i in missing:
            _remove_stale_partials(paths[i].parent)
            _receive_file(paths[i], files[i])
    except OSError as error:
        _fail("device", f"{error.strerror or error}: {error.filename or home}")
    _send({"paths": list(map(str, paths))})
    _run([python, str(paths[0]), *(str(home) if a == HOME else a for a in request["arguments"])])


def _is_present(path: Path, wanted: File) -> bool:
    """Compare the file's hash every time, even if it was used before: memory cards lose bits."""
    if not path.is_file() or path.stat().st_size != wanted.bytes:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest() == wanted.sha256


def _remove_stale_partials(folder: Path) -> None:
    """Delete partial files of processes that no longer run."""
    for partial in folder.glob("*.partial"):
        owner = partial.name.split(".")[-2]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            partial.unlink()


def _receive_file(path: Path, wanted: File) -> None:
    """Write a file under a temporary name, and rename it if its hash is right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    digest, left = hashlib.sha256(), wanted.bytes
    try:
        with partial.open("wb") as file:
            while left:
                chunk = sys.stdin.buffer.read(min(left, _CHUNK))
                if not chunk:
                    sys.exit(1)  # the host is gone
                file.write(chunk)
                digest.update(chunk)
                left -= len(chunk)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != wanted.sha256:
            _fail("device", f"a file was damaged in transit: {path}")
        partial.replace(path)
    finally:
        if partial.exists():
            partial.unlink()


def _run(command: list[str]) -> None:
    """Run the runner on this process's own pipes. If a signal kills it, report that, because ssh does not."""
    code = subprocess.call(command, env={k: v for k, v in os.environ.items() if not k.startswith(STEERING_PREFIXES)})
    if code < 0:
        _send({"event": "error", "kind": "died", "message": str(-code)})
    sys.exit(max(code, 0))


def _fail(kind: str, message: str) -> None:
    _send({"error": kind, "message": message})
    sys.exit(1)


def _send(message: dict[str, object]) -> None:
    _write(json.dumps(message))


def _write(line: str) -> None:
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)  # the host is gone


def _receive_message() -> dict[str, Any]:
    line = sys.stdin.buffer.readline()
    if not line:
        sys.exit(0)
    message: dict[str, Any] = json.loads(line.decode("utf-8"))
    return message


if __name__ == "__main__":
    main()
