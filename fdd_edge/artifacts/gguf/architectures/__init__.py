"""How each architecture is written as GGUF: one small module an architecture, found by its Hugging Face name.

Sources: llama.cpp's ``src/models/*.cpp`` (what is read) and transformers' ``modeling_*.py`` (what is meant).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fdd_edge.artifacts.gguf.architectures import gemma3, llama, qwen2, qwen3
from fdd_edge.artifacts.gguf.architectures._architecture import Architecture
from fdd_edge.errors import FddError

__all__ = ["ARCHITECTURES", "Architecture", "architecture_of"]

ARCHITECTURES: dict[str, Architecture] = {
    "LlamaForCausalLM": llama.ARCHITECTURE,
    "Qwen2ForCausalLM": qwen2.ARCHITECTURE,
    "Qwen3ForCausalLM": qwen3.ARCHITECTURE,
    "Gemma3ForCausalLM": gemma3.ARCHITECTURE,
}
"""Name of the Hugging Face class -> how it is written."""


def architecture_of(config: Mapping[str, Any]) -> Architecture:
    """Return the architecture of a ``config.json``, checked to be one that llama.cpp computes alike.

    Raises:
        FddError: It is not supported, or asks for something llama.cpp does not do.
    """
    named = (config.get("architectures") or ["unknown"])[0]
    if named not in ARCHITECTURES:
        raise FddError(f"This is a {named}, which is not supported yet. Supported: {', '.join(ARCHITECTURES)}.")
    architecture = ARCHITECTURES[named]
    why_not = architecture.refuses(config)
    if why_not is not None:
        raise FddError(f"This {named} {why_not}")
    return architecture
