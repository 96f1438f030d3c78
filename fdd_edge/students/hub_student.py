"""Fetches a student from the hub: first its description, then, if it can be trained, its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from fdd_edge import hub
from fdd_edge.cache import cache_folder
from fdd_edge.errors import FddError
from fdd_edge.safetensors_folder import INDEX, SINGLE, named_shards
from fdd_edge.students.readable_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS, has_model_weights

__all__ = ["HubStudent", "fetch_student"]

_NEEDED = {"config.json", "tokenizer.json"}

_OURS = "fdd_edge.json"
"""The file that this tool writes next to a student it trained. One from the hub is ignored, because it would set the
prompt and the license."""


class HubStudent(NamedTuple):
    """A student's Hugging Face folder, and the commit that its files are from."""

    folder: Path
    commit: str


def fetch_student(
    id: str, revision: str | None, *, check: Callable[[Path], None], commits: MutableMapping[str, str] | None = None
) -> HubStudent:
    """Download the files of a student that are needed and safe to read, or find them in the hub's cache.

    These are JSON and Jinja files, ``README.md`` for the license, and the safetensors files of the model. Pickled
    weights and Python files are never requested.

    Args:
        id: ``OWNER/NAME``.
        revision: Branch, tag or commit; None for ``main``.
        check: Raises an error for a folder that cannot be trained; called before the weights are downloaded.
        commits: Known commits, see ``hub.find``.

    Raises:
        FddError: It cannot be downloaded, is incomplete, or is refused by ``check``.
        MissingExtraError: The hub's client is not installed.
    """
    repository = hub.find("model", id, revision, commits=commits)
    description = {name for name in repository.files if _is_description(name)}
    is_adapter = _is_adapter(repository)
    if not is_adapter:
        _refuse_inner_adapter(repository)
    if not repository.listed and not is_adapter:
        description |= _NEEDED
    folder = cache_folder("hub") / id / repository.commit
    _link(folder, hub.fetch(repository, sorted(description)))
    if is_adapter:
        if repository.listed and ADAPTER_WEIGHTS not in repository.files:
            raise FddError(
                f"{id} is an adapter without {ADAPTER_WEIGHTS}; other files are not read: they can hold code."
            )
        _link(folder, hub.fetch(repository, [ADAPTER_WEIGHTS]))
        return HubStudent(folder, repository.commit)
    check(folder)
    sharded = SINGLE not in repository.files and INDEX in description
    weights = named_shards(folder) if sharded else [SINGLE]
    lacking = [name for name in weights if name not in repository.files] if repository.listed else []
    if lacking and sharded:
        raise FddError(
            f"{id} lacks {lacking[0]}, which its {INDEX} lists. Choose another revision, or ask its owner to fix it."
        )
    if lacking:
        raise FddError(f"{id} has no {SINGLE}. Other weight files are not read, because they can contain code.")
    _link(folder, hub.fetch(repository, weights))
    return HubStudent(folder, repository.commit)


def _is_adapter(repository: hub.Repository) -> bool:
    """Return whether a repository holds an adapter and no model.

    Without a network, only some of its files may be known: then one with a ``config.json`` counts as a model's, unless
    the weights of the adapter are there.
    """
    names = repository.files
    if ADAPTER_CONFIG not in names or has_model_weights(names):
        return False
    return repository.listed or ADAPTER_WEIGHTS in names or "config.json" not in names


def _refuse_inner_adapter(repository: hub.Repository) -> None:
    """Refuse a repository whose root holds no model, and say where an adapter is.

    Raises:
        FddError: It is one.
    """
    inner = [
        name.removesuffix(f"/{ADAPTER_CONFIG}") for name in repository.files if name.endswith(f"/{ADAPTER_CONFIG}")
    ]
    if inner and not {ADAPTER_CONFIG, "config.json"} & repository.files.keys():
        raise FddError(
            f"{repository.id} holds an adapter in its folder {inner[0]}, which a hub id cannot name. Download it (hf "
            f"download {repository.id} --local-dir DIR), and name DIR/{inner[0]}."
        )


def _is_description(name: str) -> bool:
    return "/" not in name and name != _OURS and (name == "README.md" or name.endswith((".json", ".jinja")))


def _link(folder: Path, files: Mapping[str, Path]) -> None:
    """Link files into a separate folder, because the client's cache may contain unwanted files next to them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in files.items():
        link = folder / name
        if not link.exists():
            link.unlink(missing_ok=True)
            with suppress(FileExistsError):  # another process created it first
                link.symlink_to(path.absolute())
