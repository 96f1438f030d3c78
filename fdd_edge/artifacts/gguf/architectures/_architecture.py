"""What the architectures share: the description of one, the common hyperparameters, the common refusals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from fdd_edge.artifacts.stored_tensor import Array

if TYPE_CHECKING:
    from gguf import GGUFWriter

__all__ = [
    "Architecture",
    "Config",
    "Shapes",
    "add_common_keys",
    "common_refusal",
    "decoder_tensors",
    "head_dim",
    "kv_heads",
    "nothing_added",
]

Shapes = dict[str, tuple[int, ...]]
"""The tensors of a Hugging Face folder by name, with their shapes."""

_REQUIRED = (
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "vocab_size",
)
"""Keys without which transformers would take its own defaults, which are not the model's."""

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
        tensors: Returns the tensors that a folder has, without the head.
        transform: Converts an array of Hugging Face to llama.cpp's, given (GGUF name, array, config): weights, or the
            numbers of their rows.
        added: Returns the tensors that have no counterpart in the folder, by GGUF name.
        tied: Whether input and output embeddings share a matrix if the config does not say.
    """

    name: str
    refuses: Callable[[Config], str | None]
    add_keys: Callable[[GGUFWriter, Config], None]
    tensors: Callable[[Config], Shapes]
    transform: Callable[[str, npt.NDArray[Any], Config], npt.NDArray[Any]]
    added: Callable[[Config], dict[str, Array]] = nothing_added
    tied: bool = False

    def is_tied(self, config: Config) -> bool:
        """Return whether the head is the embedding matrix, and so is not stored."""
        return bool(config.get("tie_word_embeddings", self.tied))


def decoder_tensors(
    config: Config,
    *,
    biases: Collection[str] = (),
    head_norms: bool = False,
    more_norms: Sequence[str] = (),
) -> Shapes:
    """Return the tensors of a decoder.

    Args:
        config: The ``config.json``.
        biases: Its linear layers that have biases, such as ``q_proj``.
        head_norms: Whether queries and keys are normalized per head.
        more_norms: Norms of a layer in addition to those before attention and before the MLP.
    """
    width, inner = config["hidden_size"], config["intermediate_size"]
    queries, keys = config["num_attention_heads"] * head_dim(config), kv_heads(config) * head_dim(config)
    linear = {
        "self_attn.q_proj": (queries, width),
        "self_attn.k_proj": (keys, width),
        "self_attn.v_proj": (keys, width),
        "self_attn.o_proj": (width, queries),
        "mlp.gate_proj": (inner, width),
        "mlp.up_proj": (inner, width),
        "mlp.down_proj": (width, inner),
    }
    layer: Shapes = {f"{name}.weight": shape for name, shape in linear.items()}
    layer |= {f"{name}.bias": shape[:1] for name, shape in linear.items() if name.split(".")[1] in biases}
    layer |= dict.fromkeys(
        [f"{norm}.weight" for norm in ("input_layernorm", "post_attention_layernorm", *more_norms)], (width,)
    )
    if head_norms:
        layer |= dict.fromkeys(["self_attn.q_norm.weight", "self_attn.k_norm.weight"], (head_dim(config),))
    tensors: Shapes = {"model.embed_tokens.weight": (config["vocab_size"], width), "model.norm.weight": (width,)}
    for number in range(config["num_hidden_layers"]):
        tensors |= {f"model.layers.{number}.{name}": shape for name, shape in layer.items()}
    return tensors


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
    config: Config, *, activation: str = "silu", rope_types: tuple[str, ...] = (), biased: bool = False
) -> str | None:
    """Return why a config cannot be written, or None.

    Args:
        config: The ``config.json``.
        activation: The activation function that llama.cpp computes.
        rope_types: Supported kinds of scaled RoPE.
        biased: Whether ``attention_bias`` is supported.
    """
    if absent := [key for key in _REQUIRED if config.get(key) is None]:
        return f"lacks {absent[0]} in its config.json, and a default could be wrong; add it."
    if config.get("quantization_config"):
        return "is quantized already; use the float model it was made from."
    if "rope_parameters" in config:
        return "was saved by transformers 5 (rope_parameters); save it with transformers 4.57."
    scaling = config.get("rope_scaling") or {}
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    if kind not in ("default", *rope_types):
        return (
            f"has scaled RoPE, which is not supported yet ({kind}); supported: {', '.join(('unscaled', *rope_types))}."
        )
    used = config.get("hidden_activation") or config.get("hidden_act") or activation
    if used != activation:
        return f"has the activation {used}; llama.cpp computes {activation} for this architecture."
    if config.get("attention_bias") and not biased:
        return "has biases in its attention (attention_bias), which llama.cpp does not read for this architecture."
    return None
