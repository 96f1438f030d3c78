"""A GGUF file of zeros in the shape of a model: its size and speed are the model's, and it takes no disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path

from fdd_edge.errors import MissingExtraError

__all__ = ["write_blank_gguf"]

_FLOAT_BYTES = 4


def write_blank_gguf(path: Path, config: Mapping[str, int | bool | str], *, layers: int) -> None:
    """Write a float32 llama whose weights are a hole in the file; it has no vocabulary.

    Args:
        path: The file.
        config: Sizes, by Hugging Face's keys of a decoder.
        layers: How many it has, whatever ``config`` says.

    Raises:
        MissingExtraError: The package gguf is not installed.
    """
    try:
        import gguf
    except ImportError:
        raise MissingExtraError("gguf", "gguf") from None

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(int(config["vocab_size"]))
    writer.add_context_length(4096)
    writer.add_block_count(layers)
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(int(config["num_attention_heads"]))
    writer.add_head_count_kv(int(config["num_key_value_heads"]))
    writer.add_key_length(int(config["head_dim"]))
    writer.add_value_length(int(config["head_dim"]))
    writer.add_rope_dimension_count(int(config["head_dim"]))
    writer.add_layer_norm_rms_eps(1e-5)
    size = 0
    for name, shape in _tensors(config, layers):
        # gguf counts dimensions from the innermost, numpy from the outermost.
        n_bytes = prod(shape) * _FLOAT_BYTES
        writer.add_tensor_info(name, shape, _float32(), n_bytes)
        size += writer.ggml_pad(n_bytes, writer.data_alignment)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("r+b") as file:
        file.seek(0, 2)
        start = writer.ggml_pad(file.tell(), writer.data_alignment)
        file.truncate(start + size)


def _float32() -> object:
    import numpy as np

    return np.dtype(np.float32)


def _tensors(config: Mapping[str, int | bool | str], layers: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the name and shape of every tensor."""
    hidden, inner, vocab = (int(config[key]) for key in ("hidden_size", "intermediate_size", "vocab_size"))
    head = int(config["head_dim"])
    query, shared = int(config["num_attention_heads"]) * head, int(config["num_key_value_heads"]) * head
    yield "token_embd.weight", (vocab, hidden)
    yield "output_norm.weight", (hidden,)
    if not config["tie_word_embeddings"]:
        yield "output.weight", (vocab, hidden)
    for layer in range(layers):
        for name, shape in (
            ("attn_norm", (hidden,)),
            ("attn_q", (query, hidden)),
            ("attn_k", (shared, hidden)),
            ("attn_v", (shared, hidden)),
            ("attn_output", (hidden, query)),
            ("ffn_norm", (hidden,)),
            ("ffn_gate", (inner, hidden)),
            ("ffn_up", (inner, hidden)),
            ("ffn_down", (hidden, inner)),
        ):
            yield f"blk.{layer}.{name}.weight", shape
