"""The smoke run from the command line, and what of it must be the same byte for byte however it came about."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ARGUMENTS = ["run", "smoke", "-o"]

BYTE_EQUAL = (
    "data/*",
    "data/eval/*",
    "validation.jsonl",
    "round-*/data/*",
    "round-*/split/*",
    "round-*/evolved.jsonl",
    "round-*/curated/*",
    "round-*/eval/*/*/*/rows.jsonl",
)
"""What an interrupted run must end with, byte for byte."""


class Finished(NamedTuple):
    """A finished run: its folder, and what the command printed."""

    out: Path
    stdout: str
    stderr: str


def run(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it in a folder, or go on there."""
    command = [sys.executable, "-m", "fdd_edge", *ARGUMENTS, str(out), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def digests(out: Path) -> dict[str, str]:
    """Return the sha256 of every file that must be the same."""
    files = [p.relative_to(out) for pattern in BYTE_EQUAL for p in out.glob(pattern) if p.is_file()]
    done = [p for p in files if not any(part.startswith(".") for part in p.parts)]
    return {p.as_posix(): hashlib.sha256((out / p).read_bytes()).hexdigest() for p in done}
