"""Content hashes of files and folders."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path

__all__ = ["HashCache", "hash_file", "hash_files", "sha256_of"]


def hash_file(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(paths: Iterable[Path]) -> str:
    """Return the sha256 of files one after the other, in hex: what ``cat FILE ... | sha256sum`` prints."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()


def sha256_of(text: str) -> str:
    """Return the sha256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


class HashCache:
    """Hashes that are computed only once per process for a file that does not change."""

    def __init__(self, *, ignored: Collection[str] = ()) -> None:
        """Take the names of files that are left out of a folder's hash."""
        self._ignored = ignored
        self._known: dict[tuple[int, int, int, int], str] = {}

    def of(self, path: Path) -> str:
        """Return the sha256 of a file, or of the names and contents of a folder's files.

        Raises:
            FileNotFoundError: There is no such path.
        """
        if path.is_dir():
            return self.of_files(path, self.names_in(path))
        stat = path.stat()
        key = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)  # no path: a file may be renamed
        if key not in self._known:
            self._known[key] = hash_file(path)
        return self._known[key]

    def names_in(self, folder: Path) -> list[str]:
        """Return the files that the hash of a folder covers, in its order."""
        files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in self._ignored)
        return [str(file.relative_to(folder)) for file in files]

    def of_files(self, folder: Path, names: Iterable[str]) -> str:
        """Return the sha256 of the names and contents of some of a folder's files.

        Raises:
            FileNotFoundError: One is missing.
        """
        digest = hashlib.sha256()
        for name in names:
            # A name need not be UTF-8: Python spells its other bytes as surrogates.
            digest.update(f"{name}\0{self.of(folder / name)}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()
