"""Installing the runtime on a board, in a virtual environment of its own inside the board's folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from .board_store import VENV, WHEELS, lock_board
from .protocol import RunnerError

__all__ = ["set_up"]

_LAST_LINES = 3


def set_up(home: Path, requirement: str, build: str | None, beside: Sequence[str] = ()) -> str:
    """Make the environment and install a runtime into it; return the environment's Python.

    Args:
        home: The board's folder; its wheels are installed from without a network.
        requirement: The runtime and its version.
        beside: Other packages and their versions; they are installed as they are, without what they ask for.
        build: CMake options to compile it with on the board, which needs a network; None takes the wheels.

    Raises:
        RunnerError: Python's venv module is missing, or pip failed.
    """
    with lock_board(home):
        python = home / VENV / "bin" / "python3"
        if not _works(python):
            _make_environment(home / VENV)
        pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-q"]
        if build is None:
            pip += ["--no-index", "--find-links", str(home / WHEELS)]
            # By name alone pip would keep a runtime of the same version that was compiled for another CPU.
            _run([*pip, "--force-reinstall", requirement], f"installing {requirement}")
        else:
            name = requirement.partition("=")[0]
            command = [*pip, "--force-reinstall", "--no-cache-dir", "--no-binary", name, requirement]
            _run(command, f"compiling {requirement}", {"CMAKE_ARGS": build})
        if beside:
            _run([*pip, "--no-deps", *beside], f"installing {' and '.join(beside)}")
    return str(python)


def _works(python: Path) -> bool:
    """Say whether an environment is whole: making one may have been cut off before it had pip."""
    if not python.exists():
        return False
    asked = [str(python), "-m", "pip", "--version"]
    return subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _make_environment(folder: Path) -> None:
    if find_spec("ensurepip") is None:
        raise RunnerError(
            "runtime_missing", "Python's venv module is not whole here; on Debian: apt install python3-venv"
        )
    _run([sys.executable, "-m", "venv", "--clear", str(folder)], "making a virtual environment")


def _run(command: Sequence[str], doing: str, variables: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | dict(variables or {}),
        check=False,
    )
    if done.returncode != 0:
        said = " | ".join(done.stdout.strip().splitlines()[-_LAST_LINES:])
        raise RunnerError("runtime_missing", f"{doing} failed: {said}")
