"""Content hashes of files and folders."""

from __future__ import annotations

import hashlib
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

    def __init__(self, *, ignored: str | None = None) -> None:
        """Take the name of files that are left out of a folder's hash."""
        self._ignored = ignored
        self._known: dict[tuple[str, int, int, int], str] = {}

    def of(self, path: Path) -> str:
        """Return the sha256 of a file, or of the names and contents of a folder's files.

        Raises:
            FileNotFoundError: There is no such path.
        """
        if path.is_dir():
            digest = hashlib.sha256()
            for file in sorted(p for p in path.rglob("*") if p.is_file() and p.name != self._ignored):
                digest.update(f"{file.relative_to(path)}\0{self.of(file)}\n".encode())
            return digest.hexdigest()
        stat = path.stat()
        key = (str(path.resolve()), stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if key not in self._known:
            self._known[key] = hash_file(path)
        return self._known[key]
