"""Runs Python programs in processes that are forked from one that has imported torch already.

Importing torch and transformers takes four seconds, which is most of the time of a program with a tiny model. Each
program still has its own process, environment, output and exit code, and can be killed.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

PRELOADED = ("peft", "transformers.models.llama.modeling_llama", "fdd_edge.cli", "onnxruntime_genai.models.builder")
"""Modules that are imported before the first program, if they are installed."""


class WarmPython:
    """A process that forks a child for each program; it starts when the first program does."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[str] | None = None

    def run(
        self, arguments: Sequence[object], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python ARGUMENTS``, which begin with ``-m MODULE`` or a script, to its end.

        Args:
            arguments: What would follow ``python`` on the command line.
            cwd: The program's working directory; None is the current one.
            environment: All its variables; None is those of this process.
        """
        server = self._server = self._server or subprocess.Popen(
            [sys.executable, __file__],
            # The hub's client reads this when it is imported; no program here needs the hub.
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdin is not None and server.stdout is not None
        with tempfile.TemporaryDirectory(prefix="fdd-edge-warm-") as folder:
            outputs = [Path(folder) / "stdout", Path(folder) / "stderr"]
            job = {
                "arguments": [str(argument) for argument in arguments],
                "cwd": str(cwd or Path.cwd()),
                "environment": dict(os.environ if environment is None else environment),
                "outputs": [str(path) for path in outputs],
            }
            server.stdin.write(json.dumps(job) + "\n")
            server.stdin.flush()
            code = int(server.stdout.readline())
            printed = [path.read_text(encoding="utf-8", errors="replace") for path in outputs]
        return subprocess.CompletedProcess([sys.executable, *job["arguments"]], code, *printed)

    def close(self) -> None:
        """End the process."""
        if self._server is not None:
            self._server.communicate()


def serve() -> None:
    """Fork a child for each line of stdin and print its exit code, which is minus the signal that killed it."""
    for name in PRELOADED:
        if find_spec(name.partition(".")[0]) is not None:
            import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(run_program(**json.loads(line)))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def run_program(arguments: list[str], cwd: str, environment: dict[str, str], outputs: list[str]) -> int:
    """Become the program and return its exit code."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    code: object = 0
    try:
        if arguments[0] == "-m":
            sys.argv = arguments[1:]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = arguments
            sys.path.insert(0, str(Path(arguments[0]).parent))
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 1


if __name__ == "__main__":
    serve()
