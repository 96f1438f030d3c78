"""Stages: done when their fingerprint is; else made beside their place and renamed when whole.

This is the only place that knows about temporary names, renaming and resuming.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError
from fdd_edge.interrupt import stop_if_asked
from fdd_edge.progress import announce
from fdd_edge.runs.atomic import partial_of
from fdd_edge.runs.hashing import HashCache
from fdd_edge.runs.manifest import Manifest, StageEntry

__all__ = ["PrunedInputError", "Stages", "build_atomic"]

_BEGUN, _FINISHED = ".fingerprint", ".finished"
"""The marks of a folder, which hold its fingerprint: while it is made, and from then until the manifest knows of it."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_PROBE_BYTES = 1 << 20
"""What a disk that is not full has room for."""


class PrunedInputError(Exception):
    """A stage has to be made from an output that was deleted to save room: restore it first."""


class Stages:
    """The stages of one run folder."""

    def __init__(self, root: Path, manifest: Manifest) -> None:
        """Take the run folder and its manifest."""
        self._root = root
        self._manifest = manifest
        self._hashes = HashCache(ignored=_FINISHED)

    def ensure(
        self,
        output: Path,
        make: Callable[[Path], object],
        *,
        version: int,
        params: Mapping[str, Any],
        inputs: Mapping[str, Path],
        is_file: bool = False,
    ) -> bool:
        """Make a stage's output unless it is there already, made from the same things.

        Args:
            output: File or folder inside the run.
            make: Writes the output to the path it is given. A folder that an interrupted call with the same
                fingerprint left behind is handed over again with what is in it, so that work can go on.
            version: Version of the stage's meaning.
            params: Everything but the inputs that the output depends on.
            inputs: Files and folders it is made from, by name.
            is_file: The output is a single file.

        Returns:
            Whether it had to be made.

        Raises:
            PrunedInputError: It has to be made, and an input was pruned.
        """
        stop_if_asked()
        name = output.relative_to(self._root).as_posix()
        hashes = {key: self._input_hash(path) for key, path in inputs.items()}
        fingerprint = _fingerprint(version, params, hashes)
        is_unrecorded = _has_mark(output, _FINISHED, fingerprint)
        if not is_unrecorded and self._is_done(name, output, fingerprint):
            return False
        started = time.monotonic()
        if not is_unrecorded:
            self._check_can_make(name, output, version, inputs)
            _make(output, make, fingerprint, is_file)
        self._manifest.stages[name] = StageEntry(
            fingerprint, version, dict(params), hashes, self._hashes.of(output), round(time.monotonic() - started, 3)
        )
        self._manifest.write()
        if not is_file:
            (output / _FINISHED).unlink()
        return not is_unrecorded

    def _check_can_make(self, name: str, output: Path, version: int, inputs: Mapping[str, Path]) -> None:
        """Refuse to make from what was pruned, and say so where an output is made again."""
        pruned = [path for path in inputs.values() if self.is_pruned(path)]
        if pruned:
            raise PrunedInputError(pruned[0])
        entry = self._manifest.stages.get(name)
        if entry is not None and not entry.pruned:
            announce(f"{name} is made again: {_why_again(entry, output, version)}")

    def restore(self, output: Path) -> None:
        """Forget that an output was made and pruned, so that it is made again."""
        name = output.relative_to(self._root).as_posix()
        if name in self._manifest.stages and self._manifest.stages[name].pruned:
            del self._manifest.stages[name]
            self._manifest.write()

    def is_pruned(self, output: Path) -> bool:
        """Say whether an output was made and deleted to save room."""
        if not output.is_relative_to(self._root):
            return False
        entry = self._manifest.stages.get(output.relative_to(self._root).as_posix())
        return entry is not None and entry.pruned

    def was_made(self, output: Path) -> bool:
        """Say whether an output was made, be it pruned since."""
        return output.relative_to(self._root).as_posix() in self._manifest.stages

    def prune(self, output: Path) -> None:
        """Delete an output that is not needed any more; it still counts as made."""
        name = output.relative_to(self._root).as_posix()
        entry = self._manifest.stages.get(name)
        if entry is None:
            return
        # Recorded first: a kill in between leaves rubbish that the next call deletes, never a gap.
        if not entry.pruned:
            self._manifest.stages[name] = replace(entry, pruned=True)
            self._manifest.write()
        _delete(output)

    def _is_done(self, name: str, output: Path, fingerprint: str) -> bool:
        entry = self._manifest.stages.get(name)
        if entry is None or entry.fingerprint != fingerprint:
            return False
        return entry.pruned or (output.exists() and self._hashes.of(output) == entry.output_sha256)

    def _input_hash(self, path: Path) -> str:
        """Hash an input; one that was pruned is known by the hash it had."""
        if self.is_pruned(path):
            return self._manifest.stages[path.relative_to(self._root).as_posix()].output_sha256
        return self._hashes.of(path)


def build_atomic(output: Path, make: Callable[[Path], object], *, params: Mapping[str, Any] | None = None) -> None:
    """Make a folder whole or not at all, outside a run; an interrupted call with equal ``params`` is gone on with.

    Raises:
        FddError: The folder is there already.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise FddError(f"{output} exists already; name another folder, or remove it.")
    _make(output, make, _fingerprint(0, params or {}, {}), is_file=False)
    (output / _FINISHED).unlink()


def _make(output: Path, make: Callable[[Path], object], fingerprint: str, is_file: bool) -> None:
    """Make an output under a temporary name beside its place, then rename it."""
    partial = partial_of(output)
    partial.parent.mkdir(parents=True, exist_ok=True)
    with _full_disk_named(partial.parent):
        if is_file:
            if partial.is_dir():
                _delete(partial)
            make(partial)
        elif not _has_mark(partial, _FINISHED, fingerprint):
            _keep_work_of(partial, fingerprint)
            make(partial)
            # Renamed, not written: a disk without room takes it too, and what was made is not made twice.
            (partial / _BEGUN).replace(partial / _FINISHED)
    if output.is_dir() or not is_file:
        _delete(output)
    partial.replace(output)


@contextmanager
def _full_disk_named(folder: Path) -> Iterator[None]:
    """Raise what a full disk is to the system, and which, where a library tells of it in words of its own."""
    try:
        yield
    except Exception as error:
        known = error.errno if isinstance(error, OSError) and error.errno in _FULL else _find_full(folder)
        if known is None or getattr(error, "filename", None) is not None:
            raise
        raise OSError(known, os.strerror(known), str(folder)) from error


def _find_full(folder: Path) -> int | None:
    """Return the error of a disk, or a quota, that takes no more."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE_BYTES))
    except OSError as error:
        return error.errno if error.errno in _FULL else None
    return None


def _fingerprint(version: int, params: Mapping[str, Any], hashes: Mapping[str, str]) -> str:
    text = json.dumps([version, params, hashes], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _why_again(entry: StageEntry, output: Path, version: int) -> str:
    if not output.exists():
        return "it is gone"
    if entry.version != version:
        return "another version of fdd-edge made it otherwise"
    return "what it was made from, or the output itself, has changed"


def _keep_work_of(partial: Path, fingerprint: str) -> None:
    """Make sure that the folder exists and holds nothing, or unfinished work of the same fingerprint."""
    if not _has_mark(partial, _BEGUN, fingerprint):
        _delete(partial)
        partial.mkdir(parents=True)
        (partial / _BEGUN).write_text(fingerprint, encoding="ascii")


def _has_mark(folder: Path, mark: str, fingerprint: str) -> bool:
    path = folder / mark
    return path.is_file() and path.read_bytes() == fingerprint.encode("ascii")


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
