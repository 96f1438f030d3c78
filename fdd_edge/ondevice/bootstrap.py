"""The first thing that runs on a board, sent there as text: it takes files in, then starts the runner on the same line.

Host and board take turns, so that nothing meant for the runner is read here:

    host   this source
    board  MARK, and what Python and machine it is; what a login shell prints before that is passed over
    host   {"home": ..., "files": [{"place", "sha256", "bytes"}, ...], "arguments": [...]}
    board  {"missing": [index, ...], "free": bytes, ...}, or {"error": ...}
    host   the bytes of each missing file, one after the other
    board  {"paths": [...]}, or {"error": ...}; from here on the line is the runner's, which is the first of the files

Everything rides in these lines and nothing in the command, so that no shell ever sees a name. The package is not there
yet: standard library only, and nothing that Python 3.7 cannot read, for an old Python has to say that it is too old.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

MARK = "fdd-edge board 1 "
NEEDED = (3, 11)
HOME = "{home}"
"""Stands for the board's folder among the arguments."""
_CHUNK = 1 << 20
STEERING = ("GGML_", "LLAMA_", "OMP_", "PYTHON")
"""Prefixes of variables that steer the runtime or Python: rows must not depend on the board's shell."""


def main() -> None:
    """Take files in, and run the runner."""
    version = ".".join(map(str, sys.version_info[:3]))
    # On a line of its own, whatever a login shell has left on the last.
    _write("\n" + MARK + json.dumps({"python": version, "machine": os.uname().machine}))
    asked = _hear()
    home = Path(asked["home"]).expanduser()
    home = home if home.is_absolute() else Path.home() / home
    own = home / "venv" / "bin" / "python3"
    python = str(own) if own.exists() else sys.executable
    if not own.exists() and sys.version_info < NEEDED:
        _refuse("python", f"{python} is Python {version}")
    files = asked["files"]
    paths = [home / wanted["place"] for wanted in files]
    try:
        home.mkdir(parents=True, exist_ok=True)
        missing = [i for i, path in enumerate(paths) if not _is_there(path, files[i])]
        _say({"missing": missing, "free": shutil.disk_usage(home).free, "home": str(home), "python": python})
        for i in missing:
            _sweep(paths[i].parent)
            _take(paths[i], files[i])
    except OSError as error:
        _refuse("device", f"{error.strerror or error}: {error.filename or home}")
    _say({"paths": list(map(str, paths))})
    _run([python, str(paths[0]), *(str(home) if a == HOME else a for a in asked["arguments"])])


def _is_there(path: Path, wanted: dict[str, Any]) -> bool:
    """Read the file again, however often it was used: memory cards lose bits."""
    if not path.is_file() or path.stat().st_size != wanted["bytes"]:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            digest.update(chunk)
    return bool(digest.hexdigest() == wanted["sha256"])


def _sweep(folder: Path) -> None:
    """Delete what processes that are no more have left half written."""
    for partial in folder.glob("*.partial"):
        owner = partial.name.split(".")[-2]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            partial.unlink()


def _take(path: Path, wanted: dict[str, Any]) -> None:
    """Write one file to a neighbour, and rename it when its hash is right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    digest, left = hashlib.sha256(), wanted["bytes"]
    try:
        with partial.open("wb") as file:
            while left:
                chunk = sys.stdin.buffer.read(min(left, _CHUNK))
                if not chunk:
                    sys.exit(1)  # the host has gone
                file.write(chunk)
                digest.update(chunk)
                left -= len(chunk)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != wanted["sha256"]:
            _refuse("device", f"a file arrived damaged: {path}")
        partial.replace(path)
    finally:
        if partial.exists():
            partial.unlink()


def _run(command: list[str]) -> None:
    """Run the runner on this process's own pipes, and say so if it dies of a signal: ssh does not."""
    code = subprocess.call(command, env={k: v for k, v in os.environ.items() if not k.startswith(STEERING)})
    if code < 0:
        _say({"event": "error", "kind": "died", "message": str(-code)})
    sys.exit(max(code, 0))


def _refuse(kind: str, message: str) -> None:
    _say({"error": kind, "message": message})
    sys.exit(1)


def _say(message: dict[str, Any]) -> None:
    _write(json.dumps(message))


def _write(line: str) -> None:
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)  # the host has gone


def _hear() -> dict[str, Any]:
    line = sys.stdin.buffer.readline()
    if not line:
        sys.exit(0)
    heard: dict[str, Any] = json.loads(line.decode("utf-8"))
    return heard


if __name__ == "__main__":
    main()
