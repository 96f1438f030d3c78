"""The architectures that students can have: the one list that training, export and import agree on."""

from __future__ import annotations

__all__ = ["ARCHITECTURES", "ENCODER_DECODER", "GGUF_ARCHITECTURE"]

ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "Gemma3ForCausalLM": "gemma3",
}
"""Decoders that can be trained and exported: Hugging Face architecture -> GGUF architecture."""

ENCODER_DECODER = "T5ForConditionalGeneration"
"""The only supported architecture with an encoder: T5 and CodeT5."""

GGUF_ARCHITECTURE = "llama"
"""The only GGUF architecture that can be imported as a student."""
