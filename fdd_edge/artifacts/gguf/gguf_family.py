"""The family of GGUF files, which llama.cpp runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.base_recipe import Recipe
from fdd_edge.artifacts.chat_template import chat_template_for
from fdd_edge.artifacts.family import Family
from fdd_edge.artifacts.family_types import Prediction, Quantizer, TypeMismatch
from fdd_edge.artifacts.gguf.gguf_facts import describe_gguf
from fdd_edge.artifacts.gguf.gguf_recipe import FLOAT_RECIPE, GgufRecipe
from fdd_edge.artifacts.gguf.imatrix_file import read_imatrix
from fdd_edge.artifacts.gguf.llama_vocab import DeviceVocab
from fdd_edge.artifacts.gguf.quantize import quantize_gguf
from fdd_edge.artifacts.gguf.quantized_file import QuantizedFile
from fdd_edge.artifacts.gguf.reader import stored_tensors
from fdd_edge.artifacts.gguf.same_vocab import same_vocab
from fdd_edge.artifacts.gguf.size_estimate import predict_quantized, types_by
from fdd_edge.artifacts.gguf.vocab_from_folder import write_vocab_from_folder
from fdd_edge.artifacts.gguf.write import check_architecture, gguf_tensors, write_float_gguf
from fdd_edge.artifacts.model_facts import ModelFacts
from fdd_edge.artifacts.stored_tensor import Array
from fdd_edge.artifacts.vocab_protocol import FolderTokenizer
from fdd_edge.errors import MissingExtraError
from fdd_edge.ondevice.families import GGUF
from fdd_edge.ondevice.model_files import artifact_files
from fdd_edge.progress import announce

__all__ = ["FAMILY"]


def _require_vocab() -> None:
    if find_spec("llama_cpp") is None:
        raise MissingExtraError("llama-cpp-python", "gguf")


def _write_vocab(folder: Path, tokenizer: FolderTokenizer, out: Path) -> None:
    write_vocab_from_folder(folder, tokenizer, out, architecture=check_architecture(folder).name)


def _export(folder: Path, vocab: Path, out: Path, recipe: Recipe, labels: ArtifactLabels) -> None:
    """Write the float file of a student."""
    metadata: dict[str, str | int] = {
        "general.name": _plain_name(labels.name),
        "fdd_edge.prompt_template": labels.prompt_template,
        "fdd_edge.recipe": recipe.name,
    }
    if labels.license:
        metadata["general.license"] = labels.license
    if labels.base:
        metadata |= {"general.base_model.count": 1, "general.base_model.0.name": labels.base}
    if labels.round is not None:
        metadata["fdd_edge.round"] = labels.round
    if labels.quantization_aware is not None:
        metadata["fdd_edge.quantization_aware"] = labels.quantization_aware
    with DeviceVocab(vocab) as device:
        chat_template = chat_template_for(labels, device)
        for note in _notes(device) if not labels.round else ():  # later rounds of a run have the same vocabulary
            announce(note)
    out.mkdir(parents=True, exist_ok=True)
    write_float_gguf(folder, vocab, out / GGUF.model_file, metadata=metadata, chat_template=chat_template)


def _notes(device: DeviceVocab) -> Iterator[str]:
    """Yield what the runner does to a text and other programs do not, a sentence each."""
    if device.normalizer is not None:
        yield (
            f"The tokenizer brings texts into the form {device.normalizer}. fdd-edge does so for this file too; "
            "llama.cpp and Ollama do not: give them questions in that form."
        )
    strips = [token for token in device.whole_tokens if token.lstrip or token.rstrip]
    if strips:
        text, lstrip, rstrip = strips[0]
        more = f" ({len(strips)} tokens do so)" if len(strips) > 1 else ""
        sides = " and ".join(side for side, drops in (("before", lstrip), ("after", rstrip)) if drops)
        yield (
            f"The tokenizer drops spaces {sides} {text!r}{more}. fdd-edge does so for this file too; llama.cpp and "
            "Ollama do not: give them prompts without these spaces."
        )


def _plain_name(name: str) -> str:
    """Return a name by which llama.cpp does not take the vocabulary for Phi-3's, whose tokens drop the spaces after."""
    return re.sub(r"(phi)-?(?=3)", r"\1_", name, flags=re.IGNORECASE)


def _predict(float_model: Path, recipe: Recipe, imatrix: Path | None) -> Prediction:
    kind = cast(GgufRecipe, recipe).type
    return predict_quantized(float_model, kind, recipe=recipe.name, imatrix=_read(imatrix, float_model))


def _quantize(float_model: Path, out: Path, recipe: Recipe, imatrix: Path | None, threads: int | None) -> None:
    kind = cast(GgufRecipe, recipe).type
    quantize_gguf(float_model, out, kind, recipe=recipe.name, imatrix=_read(imatrix, float_model), threads=threads)


def _read(imatrix: Path | None, float_model: Path) -> dict[str, Array] | None:
    return None if imatrix is None else read_imatrix(imatrix, float_model)


def _type_mismatch(model: Path, facts: ModelFacts, recipe: Recipe) -> TypeMismatch | None:
    gguf_recipe = cast(GgufRecipe, recipe)
    expected = types_by(model, gguf_recipe.type, weighted=gguf_recipe.is_weighted)
    if facts.types == expected:
        return None
    words = [", ".join(f"{n} {kind}" for kind, n in types.items()) for types in (expected, facts.types)]
    return TypeMismatch(*words)


def _quantized_weights(model: Path, folder: Path) -> Iterator[tuple[str, Array]]:
    return QuantizedFile(model, folder).matrices()


FAMILY = Family(
    device=GGUF,
    recipe_class=GgufRecipe,
    float_recipe=FLOAT_RECIPE,
    example_recipe="gguf-q8_0",
    vocab_file="vocab.gguf",
    export_packages=("gguf",),
    install_note=(
        " pip compiles llama.cpp on the device, which needs a compiler and, on a small board, 10 to 40 minutes. From "
        "another computer, `fdd-edge targets setup` installs the very build that the results were measured with."
    ),
    require_vocab=_require_vocab,
    write_vocab=_write_vocab,
    same_vocab=same_vocab,
    open_vocab=DeviceVocab,
    describe=describe_gguf,
    size=lambda model: sum(piece.stat().st_size for piece in artifact_files(model)),
    type_mismatch=_type_mismatch,
    export=_export,
    quantizer=Quantizer(_predict, _quantize),
    float_tensors=gguf_tensors,
    stored_tensors=stored_tensors,
    quantized_weights=_quantized_weights,
)
