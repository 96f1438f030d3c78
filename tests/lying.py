"""A real runner whose messages are changed on their way to the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdd_edge.targets.runner_archive import runner_archive

_WRAPPER = """
import fcntl, json, os, subprocess, sys, threading
with open({started!r}, "a+") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    file.seek(0)
    number = len(file.read())
    file.write("x")
n_waves = 0
def lie(event, name):
{lie}
    return event
runner = subprocess.Popen(
    [sys.executable, {runner!r}, *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)
def forward():
    for line in sys.stdin.buffer:
        runner.stdin.write(line)
        runner.stdin.flush()
    runner.stdin.close()
threading.Thread(target=forward, daemon=True).start()
for line in runner.stdout:
    event = json.loads(line)
    n_waves += event["event"] == "wave"
    print(json.dumps(lie(event, event["event"])), flush=True)
sys.stdout.flush()
os._exit(runner.wait())
"""


def make_runner_lie(monkeypatch: pytest.MonkeyPatch, folder: Path, lie: str) -> None:
    """Let runners on this machine send other messages.

    Args:
        monkeypatch: Puts the real runner back.
        folder: An empty folder.
        lie: Python that changes ``event``, whose kind is ``name``. ``n_waves`` counts the waves of this runner so far,
            and ``number`` the runners started before it.
    """
    code = "\n".join(f"    {line}" for line in lie.splitlines())
    wrapper, started = folder / "runner.py", folder / "started"
    wrapper.write_text(_WRAPPER.format(started=str(started), lie=code, runner=str(runner_archive())), encoding="utf-8")
    started.unlink(missing_ok=True)
    monkeypatch.setattr("fdd_edge.targets.local.runner_archive", lambda: wrapper)
