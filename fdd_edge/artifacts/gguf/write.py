"""The float GGUF of a merged student: the file every quantization starts from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.gguf.reader import open_gguf
from fdd_edge.artifacts.gguf.vocab import copy_keys
from fdd_edge.errors import FddError

__all__ = ["gguf_tensors", "write_float_gguf"]


def write_float_gguf(folder: Path, vocab: Path, out: Path, *, metadata: Mapping[str, str]) -> None:
    """Write the float32 GGUF of a Hugging Face folder.

    Args:
        folder: ``config.json`` and ``*.safetensors``; llama architecture.
        vocab: Vocabulary file, whose ``tokenizer.*`` keys are copied.
        out: The file to write.
        metadata: Further text keys, such as ``general.license`` or ``fdd_edge.prompt_template``.

    Raises:
        FddError: A tensor has no place in the architecture.
    """
    import gguf

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    writer = gguf.GGUFWriter(out, "llama", use_temp_file=False)
    _add_llama_keys(writer, config)
    copy_keys(open_gguf(vocab), writer, "tokenizer.")
    for key, value in metadata.items():
        writer.add_string(key, value)
    for name, tensor in gguf_tensors(folder):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_tensors(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield (name in the GGUF, float32 array) of every tensor of a Hugging Face folder, ordered as llama.cpp reads it.

    Raises:
        FddError: A tensor has no place in the architecture.
    """
    import gguf

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    permute = _rope_permutation(config)
    tied = config.get("tie_word_embeddings", False)
    for name, tensor in _tensors(folder):
        if name.endswith("rotary_emb.inv_freq") or (tied and name == "lm_head.weight"):
            continue
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise FddError(f"{folder} holds the tensor {name}, which has no place in a llama GGUF.")
        yield target, permute(target, tensor)


def _add_llama_keys(writer: Any, config: Mapping[str, Any]) -> None:
    """Write the hyperparameters under the names of llama.cpp's llama architecture."""
    import gguf

    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(float(config.get("rope_theta", 10000.0)))
    writer.add_layer_norm_rms_eps(float(config["rms_norm_eps"]))


def _rope_permutation(config: Mapping[str, Any]) -> Callable[[str, Any], Any]:
    """Return a function that reorders q and k rows from halves to pairs, as llama.cpp's RoPE rotates them.

    transformers rotates (i, i + d/2) together, llama.cpp's llama architecture (2i, 2i + 1).
    """
    heads = config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads") or heads

    def permute(name: str, tensor: Any) -> Any:
        for part, n in (("attn_q.", heads), ("attn_k.", kv_heads)):
            if part in name:
                rows = tensor.shape[0]
                halves = tensor.reshape(n, 2, rows // n // 2, *tensor.shape[1:])
                return halves.swapaxes(1, 2).reshape(tensor.shape)
        return tensor

    return permute


def _tensors(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield (name, float32 array) of every safetensors file in the folder."""
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (no mapping)
                yield name, file.get_tensor(name).float().numpy()
