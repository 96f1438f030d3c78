"""A family of artifacts as one object: everything the rest of the code wants to know about GGUF or ONNX.

A new family needs one module that defines ``FAMILY``, and an entry in ``_MODULES``; its runtime on a device needs the
same in ``ondevice.families`` (CONTRIBUTING.md). Modules are imported on first use.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.family_types import Quantizer, TypeMismatch, WrongKey
from fdd_edge.artifacts.model_facts import ModelFacts
from fdd_edge.artifacts.vocab_protocol import FolderTokenizer, Vocab
from fdd_edge.errors import FddError
from fdd_edge.ondevice.families import FAMILIES, DeviceFamily, device_family
from fdd_edge.ondevice.model_files import decoder_start

if TYPE_CHECKING:
    from fdd_edge.artifacts.base_recipe import Recipe
    from fdd_edge.artifacts.stored_tensor import Array, StoredTensor

__all__ = ["Family", "all_families", "family_for", "family_named", "family_of"]

_MODULES = {
    "gguf": "fdd_edge.artifacts.gguf.gguf_family",
    "onnx": "fdd_edge.artifacts.onnx.onnx_family",
    "onnx-seq2seq": "fdd_edge.artifacts.onnx.seq2seq_family",
}
"""Name of the family, as in ``ondevice.families`` -> module that defines its ``FAMILY``."""


@dataclass(frozen=True)
class Family:
    """One kind of artifact: how it is made, read, described and compared with its float model.

    Attributes:
        device: The family as a device sees it: file names, runtime and packages.
        recipe_class: The type of its recipes.
        float_recipe: Name of the recipe of its float artifact.
        example_recipe: A packaged recipe, for messages.
        vocab_file: Name of a student's vocabulary file for this family.
        export_packages: Packages that make its artifacts, in addition to those that run them.
        install_note: What the README of an artifact adds about installing the runtime.

        require_vocab: Raises ``MissingExtraError`` if the package that reads its vocabularies is not installed.
        write_vocab: Writes the vocabulary of (Hugging Face folder, its tokenizer) to a file. None if the runtime reads
            the tokenizer files of the folder themselves.
        same_vocab: Returns whether two such files make the same ids and prompts. None if there is no ``write_vocab``.
        open_vocab: Opens a vocabulary file, or the vocabulary of a model file.

        describe: Returns the facts of a model file.
        size: Returns the size of a model in bytes.
        type_mismatch: Compares the number formats of (model file, its facts) with a recipe's; None if they agree.

        makes: Returns whether a recipe can make an artifact of this family.
        export: Writes the artifact of (Hugging Face folder, vocabulary file, recipe, labels) into a folder.
        quantizer: How the float artifact is quantized. None if every recipe starts from the student.

        float_tensors: Yields (name in the file, weights) of the float model in a Hugging Face folder.
        stored_tensors: Returns the tensors of a model file by name.
        quantized_weights: Yields (Hugging Face name, values) of every quantized matrix of (model file, folder of its
            float model), dequantized.
        wrong_configs: Returns the keys next to a model file that do not describe the float model in (folder, ids that
            end a reply). None if there is nothing next to its model files.
        dequantized: Writes a copy of a model that computes in float with the same weights and the same graph into a
            folder, and returns its model file; None if the model does not round while it computes.
    """

    device: DeviceFamily
    recipe_class: type[Recipe]
    float_recipe: str
    example_recipe: str
    vocab_file: str
    require_vocab: Callable[[], None]
    open_vocab: Callable[[Path], AbstractContextManager[Vocab]]
    describe: Callable[[Path], ModelFacts]
    size: Callable[[Path], int]
    type_mismatch: Callable[[Path, ModelFacts, Recipe], TypeMismatch | None]
    export: Callable[[Path, Path, Path, Recipe, ArtifactLabels], None]
    float_tensors: Callable[[Path], Iterable[tuple[str, Array]]]
    stored_tensors: Callable[[Path], Mapping[str, StoredTensor]]
    quantized_weights: Callable[[Path, Path], Iterable[tuple[str, Array]]]
    makes: Callable[[Recipe], bool] = lambda recipe: True
    export_packages: tuple[str, ...] = ()
    install_note: str = ""
    write_vocab: Callable[[Path, FolderTokenizer, Path], None] | None = None
    same_vocab: Callable[[Path, Path], bool] | None = None
    quantizer: Quantizer | None = None
    wrong_configs: Callable[[Path, Path, Sequence[int]], list[WrongKey]] | None = None
    dequantized: Callable[[Path, Path], Path | None] = lambda model, out: None


def family_named(name: str) -> Family:
    """Return a family by its name; the ``family`` of a recipe is one."""
    family: Family = importlib.import_module(_MODULES[name]).FAMILY
    return family


def family_of(model: Path) -> Family:
    """Return the family of a model file."""
    return family_named(device_family(model).name)


def family_for(recipe_family: str, student: Path) -> Family:
    """Return the family of the artifacts that a recipe makes of a student.

    Args:
        recipe_family: The ``family`` of the recipe.
        student: Hugging Face folder of the student.

    Raises:
        FddError: Such a file cannot hold the student.
    """
    encoder_decoder = decoder_start(student) is not None
    fitting = (
        family.name
        for family in FAMILIES.values()
        if family.recipe_family == recipe_family and family.encoder_decoder == encoder_decoder
    )
    if (name := next(fitting, None)) is None:
        kind = "an encoder-decoder" if encoder_decoder else "a decoder"
        raise FddError(f"{student} is {kind}, which fdd-edge cannot export to {recipe_family.upper()}.")
    return family_named(name)


def all_families() -> list[Family]:
    """Return every family, in the order of ``ondevice.families``."""
    return [family_named(name) for name in FAMILIES]
