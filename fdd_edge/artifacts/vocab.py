"""A student's vocabulary files, and how to open them with the runtime that will read them on a device."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from fdd_edge.artifacts.family import all_families, family_of
from fdd_edge.artifacts.vocab_protocol import Vocab

__all__ = ["Vocab", "open_vocab"]


def open_vocab(path: Path) -> AbstractContextManager[Vocab]:
    """Open a vocabulary with the runtime that reads such a file.

    Args:
        path: A student's ``vocab.gguf`` or ``tokenizer.json``, or the model file of an artifact.

    Raises:
        MissingExtraError: Its runtime is not installed.
        FddError: It cannot be read.
    """
    family = next((family for family in all_families() if family.vocab_file == path.name), None) or family_of(path)
    return family.open_vocab(path)
