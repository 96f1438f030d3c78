"""Commands run against the hub on loopback, and what their ends are held to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hub_server import Hub


def fdd_edge(cwd: Path, hub: Hub, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(cwd, hub, ["-m", "fdd_edge", *arguments], environment)


def run(cwd: Path, hub: Hub, words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Python as a user with an empty home would; HF_ENDPOINT is read when the client is imported."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and not k.lower().endswith("_proxy")}
    caches = {"HF_HOME": str(cwd / "hf"), "FDD_EDGE_CACHE": str(cwd / "cache")}
    every = inherited | caches | {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"} | environment
    return subprocess.run([sys.executable, *words], cwd=cwd, env=every, capture_output=True, text=True, check=False)


def python(cwd: Path, hub: Hub, program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(cwd, hub, ["-c", program], environment)


def assert_nowhere(secret: str, *folders: Path) -> None:
    for folder in folders:
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert files
        for path in files:
            assert secret.encode() not in path.read_bytes(), path


def refused(ran: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Hold that a command ended in one sentence of our own, before it printed anything."""
    assert ran.returncode == 2, ran.stderr
    assert ran.stdout == ""
    (sentence,) = [line for line in ran.stderr.splitlines() if line.startswith("Error: ")]
    assert ran.stderr.strip().splitlines()[-1] == sentence
    assert "a text of the hub" not in ran.stderr
    for part in parts:
        assert part in sentence
