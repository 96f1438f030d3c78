"""Model folders that only seem to hold a model: pointers of Git LFS, links to nothing, a model in a subfolder."""

from __future__ import annotations

from pathlib import Path

from fdd_edge.errors import FddError

__all__ = ["no_config", "refuse_pointer", "refuse_unfetched"]

_POINTER = b"version https://git-lfs"
_READ = (".safetensors", ".json")
"""Endings of the files that a model is read from."""


def refuse_unfetched(folder: Path) -> None:
    """Refuse a folder in which a file of the model is not there yet.

    Raises:
        FddError: One is a pointer of Git LFS, or a link to nothing.
    """
    for path in sorted(path for path in folder.iterdir() if path.name.endswith(_READ)):
        if path.is_symlink() and not path.exists():
            raise FddError(
                f"{path} is a link to {path.readlink()}, which does not exist: fetch the model again, or copy it "
                "together with what its links lead to."
            )
        refuse_pointer(path)


def refuse_pointer(path: Path) -> None:
    """Refuse a file that Git LFS has not fetched.

    Raises:
        FddError: It is one.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(len(_POINTER))
    if start == _POINTER:
        raise FddError(f"{path} is a Git LFS pointer, not the file itself: run `git lfs pull` in its repository.")


def no_config(folder: Path) -> FddError:
    """Return the error for a folder without a ``config.json``; it names the subfolders that have one."""
    patterns = ("*/config.json", "snapshots/*/config.json")
    inside = sorted(str(found.parent) for pattern in patterns for found in folder.glob(pattern))
    if inside:
        hint = f"; its subfolder {inside[0]} has one: name that"
        if len(inside) > 1:
            hint = f"; its subfolders {', '.join(inside)} have one: name one of them"
    else:
        hint = ""
    return FddError(f"{folder} is not a Hugging Face model folder: it has no config.json{hint}.")
