"""Install the runtime on a board, in a virtual environment inside the board's folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from .board_store import VENV, WHEELS, lock_board
from .protocol import RunnerError

__all__ = ["install_runtime"]

_LAST_LINES = 3

_OF_AN_ENVIRONMENT = frozenset(("bin", "include", "lib", "lib64", "share", "pyvenv.cfg", ".gitignore"))
_OF_PIP = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack", "distutils-precedence.pth", "__pycache__")
"""What an environment holds in which nothing has been installed yet."""


def install_runtime(home: Path, requirement: str, cmake_args: str | None, others: Sequence[str] = ()) -> str:
    """Create the environment and install a runtime into it; return the environment's Python.

    Args:
        home: The board's folder.
        requirement: The runtime and its version.
        cmake_args: CMake options to compile the runtime with on the board, which needs a network; None installs it
            from the wheels in the board's folder, without a network.
        others: Other packages and their versions, installed without their dependencies.

    Raises:
        RunnerError: Python's venv module is missing, or pip failed.
    """
    with lock_board(home):
        python = home / VENV / "bin" / "python3"
        if not _works(python):
            _create_environment(home / VENV)
        pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-q"]
        if cmake_args is None:
            pip += ["--no-index", "--find-links", str(home / WHEELS)]
            # Without --force-reinstall, pip would keep the same version compiled for another CPU.
            _run([*pip, "--force-reinstall", requirement], f"installing {requirement}")
        else:
            name = requirement.partition("=")[0]
            command = [*pip, "--force-reinstall", "--no-cache-dir", "--no-binary", name, requirement]
            _run(command, f"compiling {requirement}", {"CMAKE_ARGS": cmake_args})
        if others:
            _run([*pip, "--no-deps", *others], f"installing {' and '.join(others)}")
    return str(python)


def _works(python: Path) -> bool:
    """Return whether an environment is complete: its creation may have been interrupted before pip was installed."""
    if not python.exists():
        return False
    command = [str(python), "-m", "pip", "--version"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _create_environment(folder: Path) -> None:
    """Create the environment; an incomplete one is replaced.

    Raises:
        RunnerError: Python's venv module is missing, it failed, or something else is in the folder.
    """
    if find_spec("ensurepip") is None:
        raise RunnerError(
            "runtime_missing",
            "Python's venv module is incomplete. On Debian, install it with: apt install python3-venv",
        )
    if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir() or not _may_be_cleared(folder)):
        raise RunnerError(
            "device", f"{folder} is not an environment that this tool made. Delete it, or set home to another folder."
        )
    _run([sys.executable, "-m", "venv", "--clear", str(folder)], "creating a virtual environment")


def _may_be_cleared(folder: Path) -> bool:
    """Return whether a folder holds our runtime, or no more than an environment whose creation was interrupted."""
    packages = [path.name for path in folder.glob("lib/python3*/site-packages/*")]
    if any(name.startswith("llama_cpp") for name in packages):
        return True
    only_pip = all(name.startswith(_OF_PIP) for name in packages)
    return only_pip and {path.name for path in folder.iterdir()} <= _OF_AN_ENVIRONMENT


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
        output = " | ".join(done.stdout.strip().splitlines()[-_LAST_LINES:])
        raise RunnerError("runtime_missing", f"{doing} failed: {output}")
