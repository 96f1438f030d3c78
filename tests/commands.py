"""Commands as a user types them: in this process, where torch is loaded already, or in one of their own."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from fdd_edge import interrupt
from fdd_edge.cli import main

Ran = subprocess.CompletedProcess[str]


def fdd_edge(*arguments: object, cwd: Path | None = None) -> Ran:
    """Run a command in this process, and return what it ended with; an unexpected exception is raised.

    Signal handlers, the environment, the current folder and the level of messages are put back.
    """
    words, out, err, code = [str(word) for word in arguments], StringIO(), StringIO(), 0
    logger = logging.getLogger("fdd_edge")
    level = logger.level
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["fdd-edge", *words])
        patch.setenv("TQDM_DISABLE", "1")  # as ``main`` would, for good
        patch.setenv("GOMP_SPINCOUNT", "2000")  # likewise
        if cwd is not None:
            patch.chdir(cwd)
        # A signal that an earlier command received must not stop this one.
        patch.setattr(interrupt, "_requested", False)
        patch.setattr(interrupt, "_hung_up", False)
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            logger.setLevel(level)
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return Ran(["fdd-edge", *words], code, out.getvalue(), err.getvalue())


def fdd_edge_process(*arguments: object, cwd: Path | None = None, **environment: str) -> Ran:
    """Run a command in a process of its own, as a shell does."""
    command = [sys.executable, "-m", "fdd_edge", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False)
