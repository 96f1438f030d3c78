"""The sizes of a student, from which follow its weights, its files and the work of one token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from fdd_edge.errors import FddError

__all__ = ["StudentShape"]

_LARGEST = 2**31
_MOST_LAYERS = 4096
_MOST_WEIGHTS = 10**12
"""More than any model that is trained here; a config may say anything."""

_T5 = {
    "hidden_size": "d_model",
    "intermediate_size": "d_ff",
    "num_attention_heads": "num_heads",
    "head_dim": "d_kv",
    "num_hidden_layers": "num_decoder_layers",
    "encoder_layers": "num_layers",
}
"""Our name of a size -> that of an encoder-decoder's config."""


@dataclass(frozen=True)
class StudentShape:
    """The sizes of a student, under Hugging Face's names.

    Attributes:
        model_type: Which class of transformers reads it.
        encoder_layers: 0 for a decoder.
    """

    model_type: str
    num_hidden_layers: int
    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    tie_word_embeddings: bool
    encoder_layers: int = 0

    @classmethod
    def from_config(cls, config: Mapping[str, Any], name: str) -> Self:
        """Read the sizes of a ``config.json``; ``name`` is whose it is, for messages.

        Raises:
            FddError: One is missing, or is not a size.
        """
        is_t5 = config.get("model_type") == "t5"
        named = _T5 if is_t5 else {}

        def size(key: str, default: Any = None) -> int:
            value = config.get(named.get(key, key))
            value = default if value is None else value
            if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _LARGEST:
                raise FddError(f"The config of {name} has no usable {named.get(key, key)}, so it cannot be planned.")
            return value

        heads, hidden = size("num_attention_heads"), size("hidden_size")
        layers = size("num_hidden_layers", config.get("num_layers") if is_t5 else None)
        found = cls(
            model_type=str(config.get("model_type")),
            num_hidden_layers=layers,
            hidden_size=hidden,
            intermediate_size=size("intermediate_size"),
            num_attention_heads=heads,
            num_key_value_heads=heads if is_t5 else size("num_key_value_heads", heads),
            head_dim=size("head_dim", max(1, hidden // heads)),
            vocab_size=size("vocab_size"),
            tie_word_embeddings=bool(config.get("tie_word_embeddings", is_t5)),
            encoder_layers=size("encoder_layers") if is_t5 else 0,
        )
        if found.num_hidden_layers > _MOST_LAYERS or found.parameters > _MOST_WEIGHTS:
            raise FddError(f"The config of {name} states {found.parameters:,} weights, so it cannot be planned.")
        return found

    @property
    def layer_parameters(self) -> int:
        """Weights of the matrices of a layer; those of an encoder-decoder have one of the encoder's beside them."""
        query, shared = self.num_attention_heads * self.head_dim, self.num_key_value_heads * self.head_dim
        attention = self.hidden_size * (2 * query + 2 * shared)
        feed_forward = self.hidden_size * self.intermediate_size
        if self.encoder_layers:
            return 3 * attention + 4 * feed_forward
        return attention + 3 * feed_forward

    @property
    def head_parameters(self) -> int:
        """Weights of the head, which is the embedding itself if the two are tied."""
        return self.vocab_size * self.hidden_size

    @property
    def parameters(self) -> int:
        """All weights, but for the norms' few."""
        copies = 1 if self.tie_word_embeddings else 2
        return copies * self.head_parameters + self.num_hidden_layers * self.layer_parameters

    @property
    def cache_bytes(self) -> int:
        """Bytes of the key-value cache for a token, in 16 bits."""
        return self.num_hidden_layers * 2 * self.num_key_value_heads * self.head_dim * 2

    def config(self) -> dict[str, int | bool | str]:
        """Return the sizes as a config, of which ``transformers`` builds a model of this shape."""
        if self.encoder_layers:
            sizes: dict[str, int | bool | str] = {theirs: getattr(self, ours) for ours, theirs in _T5.items()}
            return sizes | {"model_type": self.model_type, "vocab_size": self.vocab_size, "dropout_rate": 0}
        return {
            "model_type": self.model_type,
            **self.decoder(),
            "num_hidden_layers": self.num_hidden_layers,
            "max_position_embeddings": 2048,
        }

    def decoder(self) -> dict[str, int | bool | str]:
        """Return the sizes of a decoder whose layers have as many weights."""
        keys = (
            "hidden_size",
            "intermediate_size",
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
            "vocab_size",
            "tie_word_embeddings",
        )
        return {key: getattr(self, key) for key in keys}
