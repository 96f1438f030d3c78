"""The decoder graph from onnxruntime-genai's model builder: attention is one operator that writes its cache in place.

The builder is a program and runs in its own process; its output is checked and fixed here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.errors import FddError, MissingExtraError, no_file
from fdd_edge.ondevice.bootstrap import runner_environment
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.runs.marked_folder import temporary_folder

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["GRAPH", "WEIGHTS", "build_graph", "load_graph", "require_onnx", "save_graph"]

GRAPH = "model.onnx"
WEIGHTS = "model.onnx.data"

_GEMMA_PERIOD = 6

_BUILDER = "onnxruntime_genai.models.builder"
_NEEDED = {"onnxruntime_genai": "onnxruntime-genai", "onnx_ir": "onnx-ir", "onnx": "onnx", "onnxruntime": "onnxruntime"}


def require_onnx() -> None:
    """Check that the packages for the export are installed, before anything long starts.

    Raises:
        MissingExtraError: One is not.
    """
    for module, package in _NEEDED.items():
        if find_spec(module) is None:
            raise MissingExtraError(package, "onnx")


def build_graph(folder: Path, out: Path, *, precision: str, options: Mapping[str, str | int | bool]) -> None:
    """Write the decoder graph of a Hugging Face folder, with its weights and ``genai_config.json``, into ``out``.

    Args:
        folder: The float32 model.
        out: Receives the files; it need not exist.
        precision: ``fp32`` or ``int4``.
        options: Options of the builder, by its names.

    Raises:
        MissingExtraError: The builder is not installed.
        FddError: It cannot build this model; the message ends with the last line of its output.
    """
    require_onnx()
    _check_layers(folder)
    extra = {"hf_remote": False, "hf_token": False, "prune_lm_head": True} | dict(options)
    command = [sys.executable, "-m", _BUILDER, "-i", str(folder), "-o", str(out), "-p", precision, "-e", "cpu"]
    with temporary_folder("onnx") as cache:
        command += ["-c", str(cache), "--extra_options"]
        command += [f"{key}={_option_text(value)}" for key, value in extra.items()]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", env=_builder_environment(), check=False,
        )  # fmt: skip
    if done.returncode != 0 or not (out / GRAPH).is_file():
        last_line = (done.stdout.strip().splitlines() or ["no reason given"])[-1].strip()
        raise FddError(f"onnxruntime-genai's builder cannot build {folder.name} as {precision}: {last_line}")
    _fix_shared_embedding(out)


def _builder_environment() -> dict[str, str]:
    """Return the builder's environment: it reads a stranger's model, and needs none of the shell's secrets."""
    python = {k: v for k, v in os.environ.items() if k.startswith(("PYTHON", "OMP_", "GOMP_", "MKL_"))}
    return runner_environment(os.environ) | python | {"HF_HUB_OFFLINE": "1"}


def _option_text(value: str | int | bool) -> str:
    """Return a value as the builder's command line expects it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_layers(folder: Path) -> None:
    """Refuse a model whose attention layers differ from what the builder (0.14.1) assumes.

    It ignores ``layer_types``: in a Gemma 3, it gives every layer but each sixth a sliding window, and in any other
    model it builds all layers alike.

    Raises:
        FddError: The model's layers are different.
    """
    config = parse_json((folder / "config.json").read_text(encoding="utf-8"))
    kinds = config.get("layer_types")
    is_gemma = str(config.get("model_type", "")).startswith("gemma3")
    full = [not is_gemma or (layer + 1) % _GEMMA_PERIOD == 0 for layer in range(len(kinds or ()))]
    if kinds and kinds != ["full_attention" if is_full else "sliding_attention" for is_full in full]:
        built = f"a sliding window in all but every {_GEMMA_PERIOD}th layer" if is_gemma else "only full attention"
        raise FddError(
            f"{folder} cannot be exported as ONNX: onnxruntime-genai's builder gives such a model {built}, and its "
            "layer_types say otherwise."
        )


def load_graph(folder: Path, *, name: str = GRAPH) -> ModelProto:
    """Return the graph of a folder, without the weights that are next to it.

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
    except Exception as error:  # raised by protobuf, onnx or the file system
        raise FddError(f"{folder / name} cannot be read: {str(error).splitlines()[0].rstrip('.')}.") from None


def save_graph(graph: ModelProto, folder: Path) -> None:
    """Write a graph whose weights are inside it, or already next to it."""
    (folder / GRAPH).write_bytes(graph.SerializeToString())


def _fix_shared_embedding(folder: Path) -> None:
    """Give the embedding the zero points of the head with which it shares its weights.

    The builder (0.14.1) leaves them out, and the operator then assumes the middle of its range: every embedding is off
    by the zero point of its block, and the model writes garbage.
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
