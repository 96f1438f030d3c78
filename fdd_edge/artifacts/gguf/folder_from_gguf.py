"""A GGUF file as a Hugging Face folder: every key and every tensor is used, or refused by name. Nothing is initialised.

What llama.cpp reads: ``src/llama-model.cpp`` and ``src/llama-arch.cpp``, for the architecture ``llama``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fdd_edge.artifacts.gguf.architectures.llama import LLAMA3_SCALINGS, rope_factors, unpermute
from fdd_edge.artifacts.gguf.reader import field, open_gguf, stored_tensors
from fdd_edge.artifacts.stored_tensor import Array, StoredTensor
from fdd_edge.errors import FddError
from fdd_edge.runs.fingerprint import Json
from fdd_edge.safetensors_folder import SINGLE

if TYPE_CHECKING:
    from gguf import GGUFReader

__all__ = ["write_folder_from_gguf"]

_PREFIX = "llama."
_ROPE_FACTORS = "rope_freqs.weight"
_SAME_FACTORS = 1e-4
"""Relative difference up to which rope factors are those of a published scaling."""

_CONFIG_KEYS = {
    "block_count": "num_hidden_layers",
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
}
"""Keys that llama.cpp requires -> Hugging Face's."""

_CHECKED_KEYS = {
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "rope.dimension_count",
    "rope.freq_base",
    "vocab_size",
}
_REQUIRED_VALUES = {"attention.causal": True, "rope.scaling.type": "none", "expert_count": 0, "expert_used_count": 0}
"""Keys that may only have this value: with another one, llama.cpp computes what the folder cannot describe."""

_UNUSED_KEYS = {"rope.scaling.finetuned", "rope.scaling.original_context_length", "tensor_data_layout"}
"""Keys that change nothing where RoPE is not scaled."""

_FACTORS = {"attention.layer_norm_rms_epsilon", "rope.freq_base"}
"""Keys whose values need not be whole."""

_TOO_LARGE = 2**31
"""llama.cpp counts in signed 32 bits."""

_LAYER = {
    "attn_norm.weight": "input_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
}
_ATTENTION_BIASES = {
    "attn_q.bias": "self_attn.q_proj.bias",
    "attn_k.bias": "self_attn.k_proj.bias",
    "attn_v.bias": "self_attn.v_proj.bias",
    "attn_output.bias": "self_attn.o_proj.bias",
}
_MLP_BIASES = {
    "ffn_gate.bias": "mlp.gate_proj.bias",
    "ffn_up.bias": "mlp.up_proj.bias",
    "ffn_down.bias": "mlp.down_proj.bias",
}
"""Tensors of a layer: llama.cpp's name -> Hugging Face's."""


def write_folder_from_gguf(path: Path, out: Path) -> None:
    """Write the config and the float32 weights of a GGUF file into a Hugging Face folder.

    The weights stay on the grid they were quantized to: a Q4_1 file gives float32 numbers with 4-bit precision.

    Raises:
        FddError: A key or a tensor is missing, is not understood, or has a value or shape that does not fit.
    """
    from safetensors.numpy import save_file

    reader, stored = open_gguf(path), stored_tensors(path)
    config = _read_config(reader, path)
    _check_blocks(config["num_hidden_layers"], stored, path)
    config |= _rope_scaling(config, stored, path)
    weights = dict(_weights(config, stored, path))
    config |= {
        "attention_bias": _has_bias("self_attn", weights),
        "mlp_bias": _has_bias("mlp", weights),
        "tie_word_embeddings": "lm_head.weight" not in weights,
    }
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    ids = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id") if key in config}
    (out / "generation_config.json").write_text(json.dumps(ids, indent=2) + "\n", encoding="utf-8")
    save_file(weights, out / SINGLE, metadata={"format": "pt"})


def _read_config(reader: GGUFReader, path: Path) -> dict[str, Json]:
    """Return the config that the keys of a file describe.

    Raises:
        FddError: A key is missing, unknown, or has a value that the config cannot express.
    """
    _check_keys(reader, path)
    value = partial(_value, reader, path)
    config: dict[str, Json] = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu"}
    config |= {hf_name: value(key) for key, hf_name in _CONFIG_KEYS.items()}
    heads, width = value("attention.head_count"), value("embedding_length")
    head_dim = value("attention.key_length", width // heads)
    if head_dim < 2 or head_dim % 2:
        raise FddError(
            f"{path} has {_PREFIX}attention.head_count {heads:,} and {_PREFIX}embedding_length {width:,}: heads of "
            f"width {head_dim:,}, which must be even. Export it again from the model it was made from."
        )
    for key in ("attention.value_length", "rope.dimension_count"):
        if (found := value(key, head_dim)) != head_dim:
            raise FddError(
                f"{path} has {_PREFIX}{key} {found}, but heads of width {head_dim}; other widths are not supported yet."
            )
    tokens = len(field(reader, "tokenizer.ggml.tokens", ()))
    if (said := value("vocab_size", tokens)) != tokens:
        raise FddError(f"{path} has {_PREFIX}vocab_size {said}, but {tokens} tokens.")
    config |= {
        "head_dim": head_dim,
        "num_key_value_heads": value("attention.head_count_kv", heads),
        "rope_theta": float(value("rope.freq_base", 10000.0)),
        "vocab_size": tokens,
        "dtype": "float32",
    }
    special = {"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"}
    ids = {name: field(reader, f"tokenizer.ggml.{key}_token_id") for name, key in special.items()}
    return config | {name: token for name, token in ids.items() if token is not None}


def _check_keys(reader: GGUFReader, path: Path) -> None:
    """Refuse keys that are not understood, or that have a value which is not.

    Raises:
        FddError: There are some; names the first.
    """
    keys = [name.removeprefix(_PREFIX) for name in reader.fields if name.startswith(_PREFIX)]
    unknown = set(keys) - {*_CONFIG_KEYS, *_CHECKED_KEYS, *_REQUIRED_VALUES, *_UNUSED_KEYS}
    if unknown:
        raise FddError(f"{path} has the key {_PREFIX}{min(unknown)}, which is not supported yet.")
    for key, required in _REQUIRED_VALUES.items():
        if key in keys and (found := field(reader, _PREFIX + key)) != required:
            raise FddError(f"{path} has {_PREFIX}{key} {found!r}, which is not supported yet; supported: {required!r}.")


def _value(reader: GGUFReader, path: Path, key: str, default: float | None = None) -> Any:  # a number of either type
    """Return the value of a key, or ``default``; a list, with one number per layer, must be the same for all.

    Raises:
        FddError: It is missing and has no default, or differs between layers.
    """
    found = field(reader, _PREFIX + key, default)
    if found is None:
        raise FddError(f"{path} lacks the key {_PREFIX}{key}; export it again from the model it was made from.")
    if isinstance(found, list):
        if len(set(found)) != 1:
            raise FddError(f"{path} has a different {_PREFIX}{key} in each layer, which is not supported yet.")
        found = found[0]
    _check_number(found, path, key)
    return found


def _check_number(found: object, path: Path, key: str) -> None:
    """Refuse what cannot be a size, or a factor, of a model.

    Raises:
        FddError: It is none; most of them would fail somewhere else, or ask for terabytes.
    """
    is_factor = key in _FACTORS
    is_number = isinstance(found, int | float if is_factor else int) and not isinstance(found, bool)
    if not is_number or not 0 < found < _TOO_LARGE:  # type: ignore[operator]  # NaN is not either
        wanted = "a positive number" if is_factor else f"a whole number from 1 to {_TOO_LARGE - 1:,}"
        raise FddError(f"{path} has {_PREFIX}{key} {found!r}; it must be {wanted}.")


def _check_blocks(count: Json, stored: Iterable[str], path: Path) -> None:
    """Refuse a number of layers other than that of the tensors, before anything is made for each layer.

    Raises:
        FddError: They differ.
    """
    layers = {name.split(".")[1] for name in stored if name.startswith("blk.")}
    if len(layers) != count:
        raise FddError(f"{path} has {_PREFIX}block_count {count:,}, but tensors of {len(layers)} layers.")


def _rope_scaling(config: Mapping[str, Json], stored: Mapping[str, StoredTensor], path: Path) -> dict[str, Json]:
    """Return the scaling of RoPE from which a file's rope factors follow.

    Raises:
        FddError: They follow from none of the published ones.
    """
    if _ROPE_FACTORS not in stored:
        return {"rope_scaling": None}
    factors = stored[_ROPE_FACTORS].load()
    for scaling in LLAMA3_SCALINGS:
        (known,) = rope_factors(dict(config) | {"rope_scaling": scaling}).values()
        if known.shape == factors.shape and np.allclose(known, factors, rtol=_SAME_FACTORS, atol=0):
            return {"rope_scaling": scaling}
    raise FddError(f"{path} holds {_ROPE_FACTORS} with factors that are not those of Llama 3.1 or 3.2: not supported.")


def _weights(config: Mapping[str, Any], stored: Mapping[str, StoredTensor], path: Path) -> Iterator[tuple[str, Array]]:
    """Yield every weight under Hugging Face's name, in its layout.

    Raises:
        FddError: A tensor is missing, is not understood, or has another shape than the keys say.
    """
    names = _hf_names(config["num_hidden_layers"], stored)
    if missing := [name for name in names if name not in stored]:
        if missing[0].endswith(".bias"):
            has = next(name for name in names if name in stored and name.endswith(".bias"))
            raise FddError(
                f"{path} holds {has} but not {missing[0]}: a llama with only some of its biases cannot be trained yet; "
                "use the Hugging Face folder it was made from."
            )
        raise FddError(f"{path} lacks the tensor {missing[0]}; fetch it again, or export it again.")
    if unknown := [name for name in stored if name not in names and name != _ROPE_FACTORS]:
        raise FddError(f"{path} holds the tensor {unknown[0]}, which is not supported yet.")
    shapes = _shapes(config)
    for name, hf_name in names.items():
        array, part = stored[name].load(), name.split(".", 2)[-1]
        expected = shapes[part] if part in shapes else shapes[name]
        if array.shape != expected:
            raise FddError(f"{path}: the tensor {name} has the shape {array.shape}, and its keys say {expected}.")
        if not np.isfinite(array).all():
            raise FddError(
                f"{path}: the tensor {name} holds numbers that are not finite (NaN or infinity): the model is damaged; "
                "fetch it again, or export it again."
            )
        heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
        kind = part.split(".")[0]
        array = unpermute(array, heads[kind]) if kind in heads else array
        yield hf_name, np.ascontiguousarray(array)
        if kind == "attn_q" and part.endswith("bias") and f"{name.removesuffix(part)}attn_output.bias" not in stored:
            # Hugging Face's llama has all four biases or none; without one is with zeros.
            yield hf_name.replace("q_proj", "o_proj"), np.zeros(config["hidden_size"], np.float32)


def _hf_names(layers: int, stored: Mapping[str, StoredTensor]) -> dict[str, str]:
    """Return the tensors that a file must have -> Hugging Face's names; a head and biases only if it has them."""
    names = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
    if "output.weight" in stored:
        names["output.weight"] = "lm_head.weight"
    parts = dict(_LAYER)
    for biases in (_ATTENTION_BIASES, _MLP_BIASES):
        if any(f"blk.{layer}.{part}" in stored for layer in range(layers) for part in biases):
            parts |= biases
    if not any(f"blk.{layer}.attn_output.bias" in stored for layer in range(layers)):
        parts.pop("attn_output.bias", None)
    for layer in range(layers):
        names |= {f"blk.{layer}.{part}": f"model.layers.{layer}.{hf_part}" for part, hf_part in parts.items()}
    return names


def _shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor, by its name, or by its name within a layer."""
    width, inner, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    matrices = {
        "token_embd": (vocabulary, width),
        "output": (vocabulary, width),
        "attn_q": (queries, width),
        "attn_k": (keys, width),
        "attn_v": (keys, width),
        "attn_output": (width, queries),
        "ffn_gate": (inner, width),
        "ffn_up": (inner, width),
        "ffn_down": (width, inner),
    }
    norms = dict.fromkeys(("output_norm", "attn_norm", "ffn_norm"), (width,))
    weights = {f"{name}.weight": shape for name, shape in (matrices | norms).items()}
    return weights | {f"{name}.bias": shape[:1] for name, shape in matrices.items()}


def _has_bias(module: str, weights: Mapping[str, Array]) -> bool:
    return any(f".{module}." in name and name.endswith(".bias") for name in weights)
