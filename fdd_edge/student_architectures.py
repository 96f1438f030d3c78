"""The architectures that students can have: the one list that training, export and import agree on."""

from __future__ import annotations

__all__ = ["ARCHITECTURES", "ENCODER_DECODER", "GGUF_ARCHITECTURE", "MODEL_TYPES"]

ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "Gemma3ForCausalLM": "gemma3",
}
"""Decoders that can be trained and exported: Hugging Face architecture -> GGUF architecture."""

ENCODER_DECODER = "T5ForConditionalGeneration"
"""The only supported architecture with an encoder: T5 and CodeT5."""

MODEL_TYPES = {name: name.removesuffix("ForCausalLM").lower() for name in ARCHITECTURES} | {
    "Gemma3ForCausalLM": "gemma3_text",
    ENCODER_DECODER: "t5",
}
"""Hugging Face architecture -> the ``model_type`` by which transformers chooses the class that reads it."""

GGUF_ARCHITECTURE = "llama"
"""The only GGUF architecture that can be imported as a student."""
