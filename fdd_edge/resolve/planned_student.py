"""The sizes and the vocabulary of a student, from what is on this machine: nothing is downloaded, converted or made."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge import hub
from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.planning import StudentShape
from fdd_edge.student_architectures import GGUF_ARCHITECTURE

__all__ = ["PlannedStudent", "planned_student", "shape_of_gguf"]

_TINY_VOCABULARY = 640

_GGUF_KEYS = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "vocab_size": "vocab_size",
}


class PlannedStudent(NamedTuple):
    """What is known of a student before it is opened.

    Attributes:
        shape: Its sizes.
        vocab: A file with its vocabulary, if there is one here.
    """

    shape: StudentShape
    vocab: Path | None


def planned_student(name: str, revision: str | None) -> PlannedStudent | None:
    """Find a student; None if it is on the hub and not in the hub's cache.

    Raises:
        FddError: It does not exist, or cannot be trained.
    """
    from fdd_edge.students.locate import TINY, TINY_T5, locate

    if hub.is_hub_id(name) and not Path(name).expanduser().exists():
        config = hub.cached_file("model", name, revision, "config.json")
        return None if config is None else _of_folder(config.parent, name)
    source = locate(name, revision)
    if source.kind == "tiny":
        return PlannedStudent(StudentShape.from_config(_tiny(name == TINY_T5), name), None)
    if source.kind == "gguf":
        return PlannedStudent(shape_of_gguf(source.weights, name), source.weights)
    if source.kind == "adapter":
        from fdd_edge.students.adapter_base import find_base

        base = find_base(source.weights, (TINY, TINY_T5))
        return planned_student(base.name, base.revision)
    return _of_folder(source.weights, name)


def shape_of_gguf(path: Path, name: str) -> StudentShape:
    """Return the sizes that a GGUF file states.

    Raises:
        FddError: It is not a GGUF file, or states none.
    """
    from fdd_edge.artifacts.gguf.reader import field, open_gguf

    reader = open_gguf(path)
    kind = str(field(reader, "general.architecture"))
    config: dict[str, Any] = {ours: field(reader, f"{kind}.{key}") for key, ours in _GGUF_KEYS.items()}
    tokens = field(reader, "tokenizer.ggml.tokens", ())
    config["vocab_size"] = config["vocab_size"] or (len(tokens) if isinstance(tokens, list | tuple) else 0)
    config["tie_word_embeddings"] = all(tensor.name != "output.weight" for tensor in reader.tensors)
    sizes = {key: int(value) if isinstance(value, int) else value for key, value in config.items()}
    return StudentShape.from_config({**sizes, "model_type": GGUF_ARCHITECTURE}, name)


def _of_folder(folder: Path, name: str) -> PlannedStudent:
    try:
        config = parse_json((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FddError(f"The config of {name} cannot be read: {error}.") from None
    if not isinstance(config, dict):
        raise FddError(f"The config of {name} is not a JSON object.")
    vocabs = [folder / "vocab.gguf", folder / "tokenizer.json"]
    return PlannedStudent(
        StudentShape.from_config(config, name), next((path for path in vocabs if path.is_file()), None)
    )


def _tiny(is_t5: bool) -> dict[str, Any]:
    """Return the config of a tiny student, which is trained on the spot; its vocabulary has about this many tokens."""
    from fdd_edge.students.tiny import TINY_ARCHITECTURES, TINY_SHAPE

    settings = TINY_ARCHITECTURES["t5"].settings if is_t5 else {}
    kind = "t5" if is_t5 else GGUF_ARCHITECTURE
    return {**TINY_SHAPE, **settings, "model_type": kind, "vocab_size": _TINY_VOCABULARY, "tie_word_embeddings": True}
