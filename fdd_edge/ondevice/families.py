"""The families of model files: what each consists of, and which module of this package runs it.

CONTRIBUTING.md says how to add one: a module here that has ``open_model``, and an entry in ``FAMILIES``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "CARD",
    "DECODER",
    "DECODER_WITH_PAST",
    "ENCODER",
    "FAMILIES",
    "GGUF",
    "ONNX",
    "ONNX_SEQ2SEQ",
    "RUNTIMES",
    "DeviceFamily",
    "device_family",
    "runtime_modules",
]

CARD = "fdd_edge.json"
"""Next to an ONNX model: what a GGUF stores as metadata, such as the prompt it was trained on."""

ENCODER, DECODER, DECODER_WITH_PAST = "encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx"
"""The graphs of an encoder-decoder, under optimum's names. The decoder's graph names the model."""


@dataclass(frozen=True)
class DeviceFamily:
    """One kind of model file, as a device sees it.

    Attributes:
        name: Unique name.
        recipe_family: The ``family`` of the recipes that make such models.
        model_file: Name of the model file in an artifact's folder.
        suffix: Suffix of its model files, under whatever name.
        runtime: The module of this package that opens it.
        packages: Packages that run it, for pip; the first is the runtime, whose version the replies depend on.
        modules: The module that each of them is imported as.
        extra: The extra of fdd-edge that installs them.
        encoder_decoder: Whether its models have an encoder of their own for the prompt.
        companions: Names of the files next to the model file that belong to the model. None if it is a single file.
    """

    name: str
    recipe_family: str
    model_file: str
    suffix: str
    runtime: str
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    extra: str
    encoder_decoder: bool = False
    companions: tuple[str, ...] | None = None

    @property
    def is_folder(self) -> bool:
        """Whether a model is a folder of files instead of a single file."""
        return self.companions is not None


GGUF = DeviceFamily(
    "gguf", "gguf", "model.gguf", ".gguf", "llamacpp",
    packages=("llama-cpp-python",), modules=("llama_cpp",), extra="gguf",
)  # fmt: skip

_ONNX_PACKAGES = ("onnxruntime", "tokenizers")  # imported by the same names
_ONNX_COMPANIONS = (
    *("config.json", "generation_config.json", "genai_config.json", CARD),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"),
)
"""What ONNX Runtime, its users and the runner read next to the graphs."""

ONNX = DeviceFamily(
    "onnx", "onnx", "model.onnx", ".onnx", "onnxruntime_model",
    packages=_ONNX_PACKAGES, modules=_ONNX_PACKAGES, extra="onnx", companions=_ONNX_COMPANIONS,
)  # fmt: skip

ONNX_SEQ2SEQ = DeviceFamily(
    "onnx-seq2seq", "onnx", DECODER, ".onnx", "onnxruntime_seq2seq",
    packages=_ONNX_PACKAGES, modules=_ONNX_PACKAGES, extra="onnx",
    encoder_decoder=True, companions=(ENCODER, DECODER_WITH_PAST, *_ONNX_COMPANIONS),
)  # fmt: skip

FAMILIES = {family.name: family for family in (GGUF, ONNX, ONNX_SEQ2SEQ)}
"""Every family by name. A recipe's ``family`` is one of these names; families that share it need the same packages."""

RUNTIMES = {family.packages[0]: FAMILIES[family.recipe_family] for family in FAMILIES.values()}
"""The name of each runtime's package, as in a device profile -> the family that recipes name."""


def runtime_modules() -> dict[str, str]:
    """Return every package that a runtime needs -> the module that it is imported as."""
    return {
        package: module
        for family in RUNTIMES.values()
        for package, module in zip(family.packages, family.modules, strict=True)
    }


def device_family(model: str | Path) -> DeviceFamily:
    """Return the family of a model file, by its name; a file of no family is left to llama.cpp to refuse."""
    path = Path(model)
    by_name = (family for family in FAMILIES.values() if family.model_file == path.name)
    by_suffix = (family for family in FAMILIES.values() if family.suffix == path.suffix)
    return next(by_name, None) or next(by_suffix, GGUF)
