"""The decoder graph, by onnxruntime-genai's model builder: attention as one operator, with a cache written in place.

The builder is a program; it runs as one, in a process of its own, and what it writes is looked through and mended here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError, MissingExtraError, no_file

__all__ = ["GRAPH", "WEIGHTS", "build_graph", "load_graph", "require_onnx", "save_graph"]

GRAPH = "model.onnx"
WEIGHTS = "model.onnx.data"

_GEMMA_PERIOD = 6

_BUILDER = "onnxruntime_genai.models.builder"
_NEEDED = {"onnxruntime_genai": "onnxruntime-genai", "onnx_ir": "onnx-ir", "onnx": "onnx", "onnxruntime": "onnxruntime"}


def require_onnx() -> None:
    """Refuse before anything long starts where a package of the export is missing.

    Raises:
        MissingExtraError: One is.
    """
    for module, package in _NEEDED.items():
        if find_spec(module) is None:
            raise MissingExtraError(package, "onnx")


def build_graph(folder: Path, out: Path, *, precision: str, options: Mapping[str, str | int | bool]) -> None:
    """Write the decoder graph of a Hugging Face folder, with its weights and ``genai_config.json``, into ``out``.

    Args:
        folder: The float32 model.
        out: Gets the files; it need not exist.
        precision: ``fp32`` or ``int4``.
        options: The builder's own, by its names.

    Raises:
        MissingExtraError: The builder is not installed.
        FddError: It cannot build this model; says its last words.
    """
    require_onnx()
    _check_layers(folder)
    words = {"hf_remote": False, "hf_token": False, "prune_lm_head": True} | dict(options)
    command = [sys.executable, "-m", _BUILDER, "-i", str(folder), "-o", str(out), "-p", precision, "-e", "cpu"]
    with tempfile.TemporaryDirectory(prefix="fdd-edge-onnx-") as cache:
        command += ["-c", cache, "--extra_options", *(f"{key}={_word(value)}" for key, value in words.items())]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", env=os.environ | {"HF_HUB_OFFLINE": "1"}, check=False,
        )  # fmt: skip
    if done.returncode != 0 or not (out / GRAPH).is_file():
        said = done.stdout.strip().splitlines()[-1:] or ["no reason given"]
        raise FddError(f"onnxruntime-genai's builder cannot build {folder.name} as {precision}: {said[0].strip()}")
    _mend_shared_embedding(out)


def _word(value: str | int | bool) -> str:
    """Return a value as the builder's command line takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_layers(folder: Path) -> None:
    """Refuse a model whose layers look at other spans of the text than the builder (0.14.1) takes for granted.

    It gives every layer but each sixth of a Gemma 3 a sliding window, whatever ``layer_types`` says, and makes all
    layers of any other model alike.

    Raises:
        FddError: The model's layers are others.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kinds = config.get("layer_types")
    is_gemma = str(config.get("model_type", "")).startswith("gemma3")
    whole = [not is_gemma or (layer + 1) % _GEMMA_PERIOD == 0 for layer in range(len(kinds or ()))]
    if kinds and kinds != ["full_attention" if is_whole else "sliding_attention" for is_whole in whole]:
        expected = f"a full one at each {_GEMMA_PERIOD}th place, the others sliding" if is_gemma else "full ones only"
        raise FddError(f"{folder}: onnxruntime-genai's builder makes attention layers of another kind: {expected}.")


def load_graph(folder: Path, *, name: str = GRAPH) -> Any:
    """Return the graph of a folder, without the weights that lie beside it.

    Raises:
        FddError: It cannot be read.
    """
    try:
        import onnx
    except ImportError:
        raise MissingExtraError("onnx", "onnx") from None
    if not (folder / name).is_file():
        raise no_file(folder / name)
    try:
        return onnx.load(str(folder / name), load_external_data=False)
    except Exception as error:  # of protobuf, of onnx, or of the disk
        raise FddError(f"{folder / name} cannot be read: {str(error).splitlines()[0].rstrip('.')}.") from None


def save_graph(graph: Any, folder: Path) -> None:
    """Write a graph whose weights are in it or lie beside it already."""
    (folder / GRAPH).write_bytes(graph.SerializeToString())


def _mend_shared_embedding(folder: Path) -> None:
    """Give the embedding the zero points of the head it shares its weights with.

    The builder (0.14.1) leaves them out: every embedding is then off by its block's zero point, which costs a model
    all it knows. Without one, the operator takes the middle of its range.
    """
    graph = load_graph(folder)
    heads = {node.input[1]: node for node in graph.graph.node if node.op_type == "MatMulNBits"}
    reshaped = {node.output[0]: node.input[0] for node in graph.graph.node if node.op_type == "Reshape"}
    changed = False
    for node in graph.graph.node:
        if node.op_type != "GatherBlockQuantized" or len(node.input) > 3:
            continue
        head = heads.get(reshaped.get(node.input[0], node.input[0]))
        if head is not None and len(head.input) > 3 and head.input[3]:
            node.input.append(head.input[3])
            changed = True
    if changed:
        save_graph(graph, folder)
