"""How each architecture is written as GGUF: one small module per architecture, found by its Hugging Face name.

Sources: llama.cpp's ``src/models/*.cpp`` (what is read) and transformers' ``modeling_*.py`` (what it means).
"""

from __future__ import annotations

from fdd_edge import student_architectures
from fdd_edge.artifacts.gguf.architectures import gemma3, llama, qwen2, qwen3
from fdd_edge.artifacts.gguf.architectures._architecture import Architecture, Config
from fdd_edge.errors import FddError

__all__ = ["ARCHITECTURES", "Architecture", "Config", "architecture_of"]

_BY_GGUF_NAME = {module.ARCHITECTURE.name: module.ARCHITECTURE for module in (llama, qwen2, qwen3, gemma3)}

ARCHITECTURES: dict[str, Architecture] = {
    hf_name: _BY_GGUF_NAME[name] for hf_name, name in student_architectures.ARCHITECTURES.items()
}
"""Name of the Hugging Face class -> how it is written."""


def architecture_of(config: Config) -> Architecture:
    """Return the architecture of a ``config.json``, after checking that llama.cpp computes the same as transformers.

    Raises:
        FddError: The architecture is not supported, or the config asks for something that llama.cpp does not do.
    """
    named = (config.get("architectures") or ["unknown"])[0]
    if named not in ARCHITECTURES:
        raise FddError(f"This is a {named}, which is not supported yet. Supported: {', '.join(ARCHITECTURES)}.")
    architecture = ARCHITECTURES[named]
    why_not = architecture.refuses(config)
    if why_not is not None:
        raise FddError(f"This {named} {why_not}")
    return architecture
