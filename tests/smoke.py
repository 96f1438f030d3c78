"""The smoke run from the command line, and which of its files must be byte-identical however it was interrupted."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import NamedTuple

from commands import Ran, fdd_edge

BYTE_EQUAL = (
    "data/*",
    "data/eval/*",
    "validation.jsonl",
    "round-*/data/*",
    "round-*/split/*",
    "round-*/evolved/*",
    "round-*/curated/*",
    "round-*/eval/*/*/*/rows.jsonl",
)
"""The files that an interrupted run must end with, byte for byte."""


class Finished(NamedTuple):
    """A finished run: its folder, and what the command printed."""

    out: Path
    stdout: str
    stderr: str

    def copy(self, folder: Path) -> Path:
        """Return a copy of the run, which a test may change."""
        return Path(shutil.copytree(self.out, folder / "run", symlinks=True))


def run(out: Path, *arguments: str) -> Ran:
    """Start the smoke run in a folder, or resume it there."""
    return fdd_edge("run", "smoke", "-o", out, *arguments)


def digests(out: Path) -> dict[str, str]:
    """Return the sha256 of every file that must be the same."""
    files = [p.relative_to(out) for pattern in BYTE_EQUAL for p in out.glob(pattern) if p.is_file()]
    done = [p for p in files if not any(part.startswith(".") for part in p.parts)]
    return {p.as_posix(): hashlib.sha256((out / p).read_bytes()).hexdigest() for p in done}
