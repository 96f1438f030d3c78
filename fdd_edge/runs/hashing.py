"""Content hashes of files and folders."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

__all__ = ["HashCache", "hash_file", "sha256_of"]


def hash_file(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
            digest = hashlib.sha256()
            for file in sorted(p for p in path.rglob("*") if p.is_file() and p.name not in self._ignored):
                digest.update(f"{file.relative_to(path)}\0{self.of(file)}\n".encode())
            return digest.hexdigest()
        stat = path.stat()
        key = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)  # no path: a file may be renamed
        if key not in self._known:
            self._known[key] = hash_file(path)
        return self._known[key]
