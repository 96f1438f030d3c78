"""What the folder of an ONNX model says about itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdd_edge.artifacts.model_facts import ModelFacts, bits_per_weight
from fdd_edge.artifacts.onnx.graph import load_graph
from fdd_edge.errors import FddError
from fdd_edge.ondevice.families import CARD
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.model_files import artifact_files
from fdd_edge.ondevice.stated_fields import fault_of_card

if TYPE_CHECKING:
    from onnx import GraphProto

__all__ = ["describe_onnx", "onnx_bytes"]


def describe_onnx(path: Path, graphs: Sequence[str] = ()) -> ModelFacts:
    """Read the facts of a model.

    Args:
        path: The graph that names the model.
        graphs: Names of the graphs whose matrices are counted. Default: that graph.

    Raises:
        FddError: The graph or a file next to it is damaged.
    """
    kinds = [kind for name in graphs or (path.name,) for kind in _kinds(load_graph(path.parent, name=name).graph)]
    card = _read(path.with_name(CARD))
    if fault := fault_of_card(card):
        raise FddError(f"{path.with_name(CARD)}: {fault}.")
    size = onnx_bytes(path)
    parameters = int(card.get("parameters") or 0)
    return ModelFacts(
        architecture=str(_read(path.with_name("config.json")).get("model_type", "unknown")),
        name=_label(card, "name"),
        license=_label(card, "license"),
        base=_label(card, "base"),
        round=card.get("round"),
        recipe=card.get("recipe"),
        prompt_template=card.get("prompt_template"),
        has_chat_template=_has_chat_template(path.parent),
        parameters=parameters,
        bytes=size,
        bits_per_weight=bits_per_weight(size, parameters),
        types=dict(Counter(kinds).most_common()),
    )


def onnx_bytes(path: Path) -> int:
    """Return the size of a model's graphs and weights, without the tokenizer and the configs next to them."""
    return sum(file.stat().st_size for file in artifact_files(path) if file.suffix in (".onnx", ".data"))


def _label(card: Mapping[str, Any], key: str) -> str | None:
    """Return a text that is only shown."""
    return None if card.get(key) is None else str(card[key])


def _has_chat_template(folder: Path) -> bool:
    config = _read(folder / "tokenizer_config.json")
    return (folder / "chat_template.jinja").is_file() or config.get("chat_template") is not None


def _kinds(graph: GraphProto) -> list[str]:
    """Return the kind of each matrix: int4 or int8 in blocks, int8 per matrix or column, or float."""
    stored = {one.name: tuple(one.dims) for one in graph.initializer}
    kinds = []
    for node in graph.node:
        if node.op_type == "MatMulNBits":
            kinds.append(f"INT{next(a.i for a in node.attribute if a.name == 'bits')}")
        elif node.op_type == "MatMulInteger" and node.input[1] in stored:
            kinds.append("INT8")
        elif node.op_type in ("MatMul", "Gemm") and len(stored.get(node.input[1], ())) == 2:
            kinds.append("F32" if prod(stored[node.input[1]]) else "")
    return kinds


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FddError(f"{path} cannot be read: {error}.") from None
    if not isinstance(content, dict):
        raise FddError(f"{path} does not hold a JSON object.")
    return content
