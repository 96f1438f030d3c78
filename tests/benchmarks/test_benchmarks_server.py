"""The benchmarks' server: one that ends before it is ready is told of at once."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path

import pytest


def test_a_server_that_died_is_not_waited_for(tmp_path: Path) -> None:
    """A dead one was asked for two minutes whether it was ready."""
    serving = import_module("benchmarks.llama_server").serving
    false = shutil.which("false")
    assert false is not None
    with (
        pytest.raises(RuntimeError, match="llama-server ended with status 1 before it was ready"),
        serving(Path(false), tmp_path / "model.gguf", slots=1, threads=1, context=64, flash_attention="auto"),
    ):
        pass
