"""What every model of ONNX Runtime is: a session of each graph, and the tokenizer files beside them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import onnxruntime

from .protocol import RunnerError, SpecialIds
from .vocabulary import Vocabulary, read_json

__all__ = ["FolderModel", "first_line", "load_session"]

_ERROR = 3
"""Of ONNX Runtime's log levels: warnings about what it optimizes are nobody's business here."""


class FolderModel:
    """A model's folder. Use it as a context manager, which gives the sessions' memory back."""

    runtime = "onnxruntime"
    runtime_version = str(onnxruntime.__version__)

    def __init__(self, path: str, graphs: tuple[str, ...], threads: int) -> None:
        """Load graphs and their weights.

        Args:
            path: What names the model: one of its graphs.
            graphs: Names of all of them, in the order in which ``sessions`` holds them.
            threads: Of every session.

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
        self.n_params = int(self._vocabulary.card.get("parameters", 0))
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

    @functools.cached_property
    def description(self) -> str:
        """The architecture, and the recipe where the file is one of ours."""
        config = read_json(Path(self.path).with_name("config.json"))
        return f"{config.get('model_type', 'decoder')} ONNX {self._vocabulary.card.get('recipe', '')}".strip()

    @property
    def bos_text(self) -> str:
        """The text of the token that begins a text; empty if there is none."""
        return self._vocabulary.bos_text

    @property
    def eos_text(self) -> str:
        """The text of the token that ends a text; empty if there is none."""
        return self._vocabulary.eos_text

    @property
    def special_ids(self) -> SpecialIds:
        """The ids that begin and end a text."""
        return self._vocabulary.special_ids


def load_session(path: str, threads: int) -> Any:
    """Return a session of ONNX Runtime.

    Raises:
        RunnerError: It cannot load the file; its first line says why.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERROR
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # each kind of failure has a type of its own, below Exception
        raise RunnerError("bad_artifact", f"ONNX Runtime cannot load {path}: {_loss(str(error))}.") from None


def _loss(said: str) -> str:
    """Return why a graph cannot be loaded: what became of the weights beside it, or ONNX Runtime's first line."""
    if missing := re.search(r'External data path does not exist: "([^"]+)"', said):
        return f"the weights beside it are missing, {missing[1]}"
    if re.search(r"External initializer: .* out of bounds", said):
        return "the weights beside it are cut short"
    return first_line(said)


def first_line(error: Exception | str) -> str:
    """Return what ONNX Runtime says, without its code and the lines after the first."""
    said = str(error).strip().splitlines()[0]
    return said.rpartition(" : ")[2].rstrip(".") or type(error).__name__
