"""How long llama.cpp takes to compile: as `make setup` does it, compared with plain pip.

Both compile the wheel of the version in constraints.txt for this machine's CPU, from one downloaded source and without
pip's cache. Run it on idle cores with:

    python benchmarks/compiling.py
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "llama-cpp-python"


def source(folder: Path) -> Path:
    """Download the source of the pinned version."""
    pinned = re.search(rf"^{PACKAGE}==\S+", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned is not None
    pip("download", "--no-deps", "--no-binary", PACKAGE, "-d", str(folder), pinned[0])
    return next(folder.glob("*.tar.gz"))


def options() -> str:
    """Return the CMake options of the Makefile."""
    printed = subprocess.run(
        ["make", "--no-print-directory", "cmake-options"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return printed.stdout.strip()


def pip(*arguments: str, cmake: str = "") -> None:
    """Run pip; its output is shown if it fails."""
    environment = os.environ | {"CMAKE_ARGS": cmake}
    command = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.exit(done.stdout.decode(errors="replace"))


def compile_wheel(folder: Path, tarball: Path, cmake: str) -> tuple[float, float, Path]:
    """Return the seconds and processor seconds of a compilation, and the wheel."""
    before, begun = os.times(), time.monotonic()
    pip("wheel", "--no-deps", "--no-cache-dir", "-w", str(folder), str(tarball), cmake=cmake)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - begun, spent, next(folder.glob("*.whl"))


def main() -> None:
    """Compile twice and print the table."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    print("| | minutes | processor minutes | wheel, MB | time relative to pip |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        tarball = source(Path(place))
        plain = 0.0
        for name, cmake in (("pip install llama-cpp-python", ""), ("make setup", options())):
            seconds, spent, wheel = compile_wheel(Path(place) / name.split()[0], tarball, cmake)
            plain = plain or seconds
            size = wheel.stat().st_size / 1e6
            print(
                f"| {name} | {seconds / 60:.1f} | {spent / 60:.1f} | {size:.1f} | {seconds / plain:.2f} |", flush=True
            )


if __name__ == "__main__":
    main()
