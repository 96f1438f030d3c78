"""What the architectures share: the description of one, the common hyperparameters, the common refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from fdd_edge.artifacts.stored_tensor import Array

if TYPE_CHECKING:
    from gguf import GGUFWriter

__all__ = [
    "Architecture",
    "Config",
    "add_common_keys",
    "common_refusal",
    "head_dim",
    "kv_heads",
    "nothing_added",
]

_REQUIRED = (
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "vocab_size",
)
"""Keys without which transformers would take its own defaults, which are not the model's."""

_FULL_ATTENTION = "full_attention"

Config = Mapping[str, Any]
"""A parsed ``config.json``."""


def nothing_added(config: Config) -> dict[str, Array]:
    """Return no extra tensors."""
    return {}


@dataclass(frozen=True)
class Architecture:
    """How one architecture is written as GGUF.

    Attributes:
        name: Its name in GGUF.
        refuses: Returns the end of a sentence ("has ..., which ...") if llama.cpp would compute something else.
        add_keys: Writes the hyperparameters into a ``gguf.GGUFWriter``.
        transform: Converts an array of Hugging Face to llama.cpp's, given (GGUF name, array, config): weights, or the
            numbers of their rows.
        added: Returns the tensors that have no counterpart in the folder, by GGUF name.
        tied: Whether input and output embeddings share a matrix if the config does not say.
    """

    name: str
    refuses: Callable[[Config], str | None]
    add_keys: Callable[[GGUFWriter, Config], None]
    transform: Callable[[str, npt.NDArray[Any], Config], npt.NDArray[Any]]
    added: Callable[[Config], dict[str, Array]] = nothing_added
    tied: bool = False

    def is_tied(self, config: Config) -> bool:
        """Return whether the head is the embedding matrix, and so is not stored."""
        return bool(config.get("tie_word_embeddings", self.tied))


def head_dim(config: Config) -> int:
    """Return the width of one attention head."""
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def kv_heads(config: Config) -> int:
    """Return the number of key and value heads."""
    return int(config.get("num_key_value_heads") or config["num_attention_heads"])


def add_common_keys(writer: GGUFWriter, config: Config, *, rope_theta: float = 10000.0) -> None:
    """Write the hyperparameters that every supported architecture has.

    Args:
        writer: A ``gguf.GGUFWriter``.
        config: The ``config.json``.
        rope_theta: Base of the rotary frequencies if the config does not say.
    """
    import gguf

    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(kv_heads(config))
    writer.add_key_length(head_dim(config))
    writer.add_value_length(head_dim(config))
    writer.add_rope_dimension_count(head_dim(config))
    writer.add_rope_freq_base(float(config.get("rope_theta") or rope_theta))
    writer.add_layer_norm_rms_eps(float(config.get("rms_norm_eps", 1e-6)))


def common_refusal(
    config: Config,
    *,
    activation: str = "silu",
    rope_types: tuple[str, ...] = (),
    biased: bool = False,
    stated: tuple[str, ...] = (),
    layer_types: tuple[str, ...] = (_FULL_ATTENTION,),
) -> str | None:
    """Return why a config cannot be written, or None.

    Args:
        config: The ``config.json``.
        activation: The activation function that llama.cpp computes.
        rope_types: Supported kinds of scaled RoPE.
        biased: Whether ``attention_bias`` is supported.
        stated: Keys that transformers derives in another way than other readers if they are absent.
        layer_types: What a layer may attend to.
    """
    absent = [key for key in _REQUIRED if config.get(key) is None] + [key for key in stated if key not in config]
    if absent:
        return f"lacks {absent[0]} in its config.json, and a default could be wrong; add it."
    if config.get("quantization_config"):
        return "is quantized already; use the float model it was made from."
    if "rope_parameters" in config:
        return "was saved by transformers 5 (rope_parameters); save it with transformers 4.57."
    scaling = config.get("rope_scaling") or {}
    if not isinstance(scaling, Mapping):
        return f"has the rope_scaling {scaling!r} in its config.json, which must be an object or null."
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    if kind not in ("default", *rope_types):
        return (
            f"has scaled RoPE, which is not supported yet ({kind}); supported: {', '.join(('unscaled', *rope_types))}."
        )
    if config.get("partial_rotary_factor") not in (None, 1):
        return "rotates a part of each head (partial_rotary_factor), which is not supported for this architecture."
    used = config.get("hidden_activation") or config.get("hidden_act") or activation
    if used != activation:
        return f"has the activation {used}; llama.cpp computes {activation} for this architecture."
    if config.get("attention_bias") and not biased:
        return "has biases in its attention (attention_bias), which llama.cpp does not read for this architecture."
    return _attention_refusal(config, layer_types)


def _attention_refusal(config: Config, layer_types: tuple[str, ...]) -> str | None:
    """Return why the attention of a config cannot be computed, or None."""
    heads, shared = config["num_attention_heads"], kv_heads(config)
    if heads % shared:
        return (
            f"has {heads} attention heads and {shared} of keys and values (num_key_value_heads), which do not divide "
            "them; correct its config.json."
        )
    found = config.get("layer_types")
    if found is None:
        return None
    if not isinstance(found, list) or len(found) != config["num_hidden_layers"]:
        return "has layer_types in its config.json that are not one for each layer; correct it."
    if others := [kind for kind in found if kind not in layer_types]:
        return f"has a layer of {others[0]} (layer_types), and its architecture has only {' and '.join(layer_types)}."
    return None
