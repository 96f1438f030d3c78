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
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

MARK = "fdd-edge board 1 "
REQUIRED_PYTHON = (3, 11)
HOME = "{home}"
"""Placeholder for the board's folder in the arguments."""
MODELS, RUNNERS, WAVES, WHEELS, VENV = "models", "runners", "waves", "runtime-wheels", "venv"
"""Subfolders of the board's folder."""

_CHUNK = 1 << 20
STEERING_PREFIXES = ("GGML_", "LLAMA_", "OMP_", "PYTHON")
"""Environment variables with these prefixes steer the runtime or Python. They are removed, so that rows do not depend
on the board's shell."""

_RUNNER_VARIABLES = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TMP", "TEMP"),
        *("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "LLAMA_CPP_LIB_PATH"),
        *("CUDA_VISIBLE_DEVICES", "GOMP_CPU_AFFINITY"),
    )
)
_RUNNER_PREFIXES = ("LC_", "XDG_")
"""The environment variables that a runner is given. It opens strangers' files in C++, so that a fault there would give
away whatever else the shell holds, such as access tokens; a list of secrets would never be complete."""

_PARTIAL = re.compile(r"([0-9a-f]{64}(\.\w+)?|runner-[0-9a-f]{16}\.pyz|.+\.whl)\.(?P<pid>[0-9]+)\.partial")
_PARTIAL_OF_A_FOLDER = re.compile(r".+\.(?P<pid>[0-9]+)\.partial")
_HASH = re.compile(r"[0-9a-f]{64}")


class File(NamedTuple):
    """A file that the host wants to be here, under ``path`` in the board's folder."""

    path: str
    sha256: str
    bytes: int


def runner_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that a runner is given."""
    return {k: v for k, v in variables.items() if k in _RUNNER_VARIABLES or k.startswith(_RUNNER_PREFIXES)}


def fault_of_home(home: Path) -> str | None:
    """Return why a board's folder cannot be trusted, in a sentence; None if only this user can write there.

    Who can write there can replace the runner between its check and its start.
    """
    user = os.geteuid()
    if home.is_symlink() and os.lstat(home).st_uid not in (user, 0):
        return f"the link {home} belongs to another user; set home to a folder of your own"
    for folder in (home, *(home / name for name in (MODELS, RUNNERS, WAVES, WHEELS, VENV))):
        if not folder.exists():
            continue
        status = folder.stat()
        if not stat.S_ISDIR(status.st_mode):
            return f"{folder} is not a folder; move it elsewhere, or set home to another folder"
        if status.st_uid != user:
            return f"{folder} belongs to another user; set home to a folder of your own"
        if can_others_write(status):
            return f"other users can write in {folder}; set home to a folder of your own, or run: chmod go-w {folder}"
    return None


def can_others_write(status: os.stat_result) -> bool:
    """Return whether users other than the owner may write to a file or folder."""
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _is_private_group(status.st_gid)


def _is_private_group(group: int) -> bool:
    """Return whether a group is the user's own, named after the user and with no other member, as many systems do."""
    try:
        import grp
        import pwd

        user, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except (ImportError, KeyError):
        return False
    return group == user.pw_gid and found.gr_name == user.pw_name and set(found.gr_mem) <= {user.pw_name}


def main() -> None:
    """Receive files, then run the runner."""
    os.umask(0o077)  # whatever is made here is this user's alone
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
        fault = fault_of_home(home)
        if fault is not None:
            _fail("device", fault)
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
    """Delete partial files of processes that no longer run; only those that are named as this tool names them."""
    names = _PARTIAL_OF_A_FOLDER if _HASH.fullmatch(folder.name) else _PARTIAL
    for partial in folder.glob("*.partial"):
        ours = names.fullmatch(partial.name)
        if ours and partial.is_file() and not Path("/proc", ours["pid"]).exists():
            partial.unlink()


def _receive_file(path: Path, wanted: File) -> None:
    """Write a file under a temporary name, and rename it if its hash is right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    digest, left = hashlib.sha256(), wanted.bytes
    if os.path.lexists(partial):
        partial.unlink()  # of an earlier process with this number
    try:
        with partial.open("xb") as file:  # never through a link
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
    # pip, which `setup` runs, needs the board's proxies and package index; it opens no model.
    is_setup = command[2] == "setup"
    steering = {k: v for k, v in os.environ.items() if not k.startswith(STEERING_PREFIXES)}
    code = subprocess.call(command, env=steering if is_setup else runner_environment(os.environ))
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
