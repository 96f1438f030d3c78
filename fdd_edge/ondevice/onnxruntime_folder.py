"""What all ONNX models share: a session per graph, and the tokenizer files next to them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import onnxruntime

from .protocol import RunnerError, SpecialIds
from .shared_cores import SPIN_MICROSECONDS, shares_cores
from .vocabulary import Vocabulary, read_json

__all__ = ["FolderModel", "load_session", "run_error"]

_ERROR = 3
"""ONNX Runtime's log level: hides its warnings about graph optimizations."""


class FolderModel:
    """The folder of a model. Use it as a context manager, which releases the sessions' memory."""

    runtime = "onnxruntime"
    runtime_version = str(onnxruntime.__version__)
    has_flash_attention = False

    def __init__(self, path: str, graphs: tuple[str, ...], threads: int) -> None:
        """Load graphs and their weights.

        Args:
            path: The model file, which is one of the graphs.
            graphs: Names of all graphs, in the order in which ``sessions`` holds them.
            threads: Number of threads of each session.

        Raises:
            RunnerError: A file is missing or damaged.
        """
        folder = Path(path).parent
        if missing := [name for name in graphs if not (folder / name).is_file()]:
            raise RunnerError("bad_artifact", f"{folder / missing[0]} is not a file.")
        self.path = path
        self.system_info = " ".join(onnxruntime.get_build_info().split())
        self._vocabulary = Vocabulary(folder)
        self.sessions = [load_session(str(folder / name), threads) for name in graphs]
        self.n_params = int(self._vocabulary.card.get("parameters") or 0)
        self.tokenize: Callable[[str], list[int]] = self._vocabulary.tokenize
        self.ends_reply: Callable[[int], bool] = self._vocabulary.ends_reply
        self.piece: Callable[[int], bytes] = self._vocabulary.piece
        self.metadata: Callable[[str], str | None] = self._vocabulary.metadata

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sessions.clear()
        self._vocabulary.close()

    @functools.cached_property
    def description(self) -> str:
        """The architecture, and the recipe if the file was exported by this tool."""
        config = read_json(Path(self.path).with_name("config.json"))
        return f"{config.get('model_type', 'decoder')} ONNX {self._vocabulary.card.get('recipe', '')}".strip()

    @property
    def bos_text(self) -> str:
        """The text of the BOS token; empty if there is none."""
        return self._vocabulary.bos_text

    @property
    def eos_text(self) -> str:
        """The text of the EOS token; empty if there is none."""
        return self._vocabulary.eos_text

    @property
    def special_ids(self) -> SpecialIds:
        """The ids that begin and end a text."""
        return self._vocabulary.special_ids


def run_error(error: Exception) -> RunnerError:
    """Return the error for a batch that ONNX Runtime could not run; too little memory is the fault of the graph."""
    line = first_line(error)
    if isinstance(error, MemoryError) or re.search(r"allocate|bad_alloc|Failed to allocate", str(error)):
        return RunnerError("bad_artifact", f"The graph asks for more memory than there is: {line}.")
    return RunnerError("internal", f"ONNX Runtime could not run a batch: {line}.")


def load_session(path: str, threads: int) -> onnxruntime.InferenceSession:
    """Open a session of ONNX Runtime.

    Raises:
        RunnerError: ONNX Runtime cannot load the file; the message gives the reason.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERROR
    if shares_cores():
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_MICROSECONDS))
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has one type per kind of failure, each a direct subclass of Exception
        raise RunnerError("bad_artifact", f"ONNX Runtime cannot load {path}: {_load_failure(str(error))}.") from None


def _load_failure(message: str) -> str:
    """Return why a graph cannot be loaded: its weights file is missing or short, or else ONNX Runtime's first line."""
    if missing := re.search(r'External data path does not exist: "([^"]+)"', message):
        return f"its weights file is missing, {missing[1]}"
    if re.search(r"External initializer: .* out of bounds", message):
        return "its weights file is truncated"
    return first_line(message)


def first_line(error: Exception | str) -> str:
    """Return the first line of an error of ONNX Runtime, without its code."""
    line = str(error).strip().splitlines()[0]
    return line.rpartition(" : ")[2].rstrip(".") or type(error).__name__
