"""Environments of the programs that benchmarks compare with: made once from ``peers/NAME.txt``, in the cache folder."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from fdd_edge.cache import cache_dir
from fdd_edge.errors import FddError
from fdd_edge.progress import announce

__all__ = ["peer_python"]

PEERS = Path(__file__).parent / "peers"


def peer_python(name: str) -> Path:
    """Return the interpreter of a peer's environment; create it if it is missing or its requirements have changed.

    Raises:
        FddError: pip failed.
    """
    requirements = PEERS / f"{name}.txt"
    pins = dict(line.split("==") for line in requirements.read_text(encoding="utf-8").split() if "==" in line)
    folder = cache_dir() / "peers" / f"{name}-{pins[name]}"
    python, ready = folder / "bin" / "python", folder / ".ready"
    key = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if ready.is_file() and ready.read_text(encoding="utf-8") == key:
        return python
    announce(f"Making the environment of {name} {pins[name]} in {folder} (2 GB, once) ...")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        # torch comes first, alone, so that pip finds its CPU build.
        [*pip, f"torch=={pins['torch']}"],
        [*pip, "-r", str(requirements)],
    ):
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
            raise FddError(f"Could not create that environment: {' '.join(command)} failed (see its output above).")
    ready.write_text(key, encoding="utf-8")
    return python
