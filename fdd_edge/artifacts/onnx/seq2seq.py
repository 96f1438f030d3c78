"""An encoder-decoder as three graphs, by optimum: encoder, decoder of the first token, decoder of every later one.

The two decoders are one model; their weights are stored once, in a file that both refer to.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from fdd_edge.artifacts.onnx.graph import load_graph, require_onnx
from fdd_edge.artifacts.onnx.onnx_recipe import OnnxRecipe
from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.ondevice.families import DECODER, DECODER_WITH_PAST, ENCODER
from fdd_edge.runs.atomic import publish, scratch_folder

__all__ = ["GRAPHS", "build_seq2seq"]

GRAPHS = (ENCODER, DECODER, DECODER_WITH_PAST)

_WEIGHTS = f"{DECODER}.data"

_LARGE = 1024
"""Size in bytes from which a tensor is stored outside of its graph."""

_HARMLESS = (
    # A graph is traced with one token of a reply, and is only ever called with one.
    ("modeling_t5.py", "if sequence_length != 1:"),
    # The first graph is traced with an empty cache and the later one with a full one, and each is only used that way.
    ("cache_utils.py", "if not self.is_initialized or self.keys.numel() == 0:"),
)
"""Where tracing T5 turns a value into a constant, and why that is correct. Any other such warning ends an export."""


def build_seq2seq(folder: Path, out: Path, recipe: OnnxRecipe) -> None:
    """Write the graphs of a Hugging Face folder by a recipe into the new folder ``out``.

    Args:
        folder: The float32 model.
        out: Receives the files; it need not exist.
        recipe: An fp32 or int8 recipe.

    Raises:
        MissingExtraError: A package that the export needs is not installed.
        FddError: optimum cannot export this model, or its trace may be wrong for other inputs.
    """
    require_onnx()
    try:
        from optimum.exporters.onnx import main_export
    except ImportError:
        raise MissingExtraError("optimum-onnx", "onnx") from None
    with scratch_folder(out) as work:
        with _no_wrong_constants(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            main_export(
                str(folder), work / "float", task="text2text-generation-with-past", no_post_process=True,
                do_validation=False, trust_remote_code=False, local_files_only=True,
            )  # fmt: skip
        made = work / "float"
        if recipe.precision == "int8":
            made = work / "int8"
            _quantize(work / "float", made, recipe)
        out.mkdir(exist_ok=True)
        publish(made / ENCODER, out / ENCODER)
        _store_once(made, out)


@contextmanager
def _no_wrong_constants() -> Iterator[None]:
    """Fail if tracing turned a value that varies into a constant; all other warnings are hidden.

    Raises:
        FddError: It did; the message names the line.
    """
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield
    for warning in seen:
        if warning.category.__name__ != "TracerWarning":
            continue
        path = Path(warning.filename)
        line = path.read_text(encoding="utf-8").splitlines()[warning.lineno - 1].strip()
        if (path.name, line) not in _HARMLESS:
            raise FddError(
                f"Tracing turned `{line}` ({path.name}) into a constant, so the graph may be wrong for other inputs."
            )


def _quantize(source: Path, out: Path, recipe: OnnxRecipe) -> None:
    """Write the int8 graphs: embeddings and all stored matrices, except the few biases of relative positions."""
    from optimum.onnxruntime import ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig

    for name in GRAPHS:
        graph = load_graph(source, name=name).graph
        excluded = [node.name for node in graph.node if "relative_attention_bias" in node.name]
        settings = getattr(AutoQuantizationConfig, str(recipe.instructions))(
            is_static=False,
            per_channel=recipe.per_channel,
            operators_to_quantize=["MatMul", "Gather"],
            nodes_to_exclude=excluded,
        )
        quantizer = ORTQuantizer.from_pretrained(source, file_name=name)
        quantizer.quantize(save_dir=out, quantization_config=settings, file_suffix=None)


def _store_once(source: Path, out: Path) -> None:
    """Write both decoders with their tensors in one file next to them; equal tensors are stored once."""
    import onnx
    from onnx import external_data_helper

    offsets: dict[str, int] = {}
    with (out / _WEIGHTS).open("wb") as file:
        for name in (DECODER, DECODER_WITH_PAST):
            model = onnx.load(str(source / name))
            for tensor in model.graph.initializer:
                content = onnx.numpy_helper.to_array(tensor).tobytes()
                if len(content) < _LARGE:
                    continue
                key = hashlib.sha256(content).hexdigest()
                if key not in offsets:
                    offsets[key] = file.tell()
                    file.write(content)
                tensor.raw_data = content
                external_data_helper.set_external_data(tensor, _WEIGHTS, offsets[key], len(content))
                tensor.ClearField("raw_data")
            (out / name).write_bytes(model.SerializeToString())
