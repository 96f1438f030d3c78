"""A student from the hub: its description first, and its weights only when that is of a kind that can be trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from fdd_edge import hub
from fdd_edge.cache import cache_dir
from fdd_edge.errors import FddError
from fdd_edge.safetensors_folder import INDEX, SINGLE, named_shards

__all__ = ["HubStudent", "fetch_student"]

_NEEDED = {"config.json", "tokenizer.json"}

_OURS = "fdd_edge.json"
"""What this tool writes into a student that it trained; in a stranger's it would choose the prompt and the licence."""


class HubStudent(NamedTuple):
    """A student's Hugging Face folder, and the commit its files are of."""

    folder: Path
    commit: str


def fetch_student(
    id: str, revision: str | None, *, check: Callable[[Path], None], commits: MutableMapping[str, str] | None = None
) -> HubStudent:
    """Download, or find in the hub's cache, the files of a student that are needed and safe to read.

    These are JSON and Jinja files, ``README.md`` for the licence, and the safetensors that make up the model. Pickled
    weights and Python files are never asked for.

    Args:
        id: ``OWNER/NAME``.
        revision: Branch, tag or commit; None for ``main``.
        check: Refuses a folder that holds all but the weights, before these are downloaded.
        commits: Commits that are known, see ``hub.find``.

    Raises:
        FddError: It cannot be had, is not whole, or is refused by ``check``.
        MissingExtraError: The hub's client is not installed.
    """
    repository = hub.find("model", id, revision, commits=commits)
    described = {name for name in repository.files if _describes(name)} | (set() if repository.listed else _NEEDED)
    folder = cache_dir() / "hub" / id / repository.commit
    _show(folder, hub.fetch(repository, sorted(described)))
    check(folder)
    sharded = SINGLE not in repository.files and INDEX in described
    weights = named_shards(folder) if sharded else [SINGLE]
    lacking = [name for name in weights if name not in repository.files] if repository.listed else []
    if lacking and sharded:
        raise FddError(f"{id} lacks {lacking[0]}, which its {INDEX} names; tell its owner, or name another revision.")
    if lacking:
        raise FddError(f"{id} has no {SINGLE}; other weight files are not read, because they can hold code.")
    _show(folder, hub.fetch(repository, weights))
    return HubStudent(folder, repository.commit)


def _describes(name: str) -> bool:
    return "/" not in name and name != _OURS and (name == "README.md" or name.endswith((".json", ".jinja")))


def _show(folder: Path, files: Mapping[str, Path]) -> None:
    """Link files into a folder of their own: beside them the client's cache may hold some that are not wanted."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in files.items():
        link = folder / name
        if not link.exists():
            link.unlink(missing_ok=True)
            with suppress(FileExistsError):  # another process was faster
                link.symlink_to(path.absolute())
