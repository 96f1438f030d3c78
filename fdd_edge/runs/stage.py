"""Stages: an output counts as made while its fingerprint is the same; else it is built and renamed when complete."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.interrupt import stop_if_requested
from fdd_edge.progress import announce, debug
from fdd_edge.runs.atomic import delete, partial_of
from fdd_edge.runs.fingerprint import Inputs, fingerprint, named_paths, plain
from fdd_edge.runs.hashing import HashCache
from fdd_edge.runs.manifest import Manifest, StageEntry

__all__ = ["PrunedInputError", "Stages", "build_atomic"]

_BEGUN, _FINISHED = ".fingerprint", ".finished"
"""Marks inside a folder, which hold its fingerprint: while it is being built, and until the manifest records it."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_PROBE_BYTES = 1 << 20
"""A disk that is not full has room for this much."""


class PrunedInputError(Exception):
    """A stage must be made from an output that was deleted to save space: restore that one first."""


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
        make: Callable[..., object],
        *,
        version: int,
        inputs: Mapping[str, Inputs],
        is_file: bool = False,
        **options: object,
    ) -> bool:
        """Make a stage's output unless it exists and was made from the same things.

        ``make(path, **inputs, **options)`` is handed exactly what the fingerprint covers, so it cannot depend on
        anything undeclared. Bind a value that changes no byte, such as a title, with ``functools.partial``.

        Args:
            output: File or folder inside the run.
            make: Writes the output to the path it is given. If an interrupted call with the same fingerprint left a
                partial folder, that folder is handed over with its contents, so that the work can resume.
            version: Raised by hand when the code of the stage changes meaning.
            inputs: Files and folders that the output is made from, by argument name.
            is_file: The output is a single file.
            options: Everything else that the output depends on: see ``fingerprint.plain``.

        Returns:
            Whether it had to be made.

        Raises:
            PrunedInputError: It has to be made, and an input was pruned.
        """
        stop_if_requested()
        name = output.relative_to(self._root).as_posix()
        paths = dict(named_paths(inputs))
        hashes = {key: self._input_hash(path) for key, path in paths.items()}
        stated = {key: plain(value) for key, value in options.items()}
        wanted = fingerprint(version, stated, hashes)
        is_unrecorded = _has_mark(output, _FINISHED, wanted)
        if not is_unrecorded and self._is_done(name, output, wanted):
            debug(f"{name}: up to date")
            return False
        started = time.monotonic()
        if not is_unrecorded:
            self._check_can_make(name, output, version, list(paths.values()))
            _build(output, partial(make, **inputs, **options), wanted, is_file)
        seconds = round(time.monotonic() - started, 3)
        self._manifest.stages[name] = StageEntry(wanted, version, stated, hashes, self._hashes.of(output), seconds)
        self._manifest.write()
        debug(f"{name}: made in {seconds:.1f} s")
        if not is_file:
            (output / _FINISHED).unlink()
        return not is_unrecorded

    def _check_can_make(self, name: str, output: Path, version: int, inputs: list[Path]) -> None:
        """Refuse to make from pruned inputs, and announce that an output is made again."""
        pruned = [path for path in inputs if self.is_pruned(path)]
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
        """Return whether an output was made and then deleted to save space."""
        if not output.is_relative_to(self._root):
            return False
        entry = self._manifest.stages.get(output.relative_to(self._root).as_posix())
        return entry is not None and entry.pruned

    def was_made(self, output: Path) -> bool:
        """Return whether an output was made, even if it has been pruned since."""
        return output.relative_to(self._root).as_posix() in self._manifest.stages

    def prune(self, output: Path) -> None:
        """Delete an output that is no longer needed; it still counts as made."""
        name = output.relative_to(self._root).as_posix()
        entry = self._manifest.stages.get(name)
        if entry is None:
            return
        # Recorded first: a kill in between leaves files that the next call deletes, never a missing output.
        if not entry.pruned:
            self._manifest.stages[name] = replace(entry, pruned=True)
            self._manifest.write()
        delete(output)

    def _is_done(self, name: str, output: Path, wanted: str) -> bool:
        entry = self._manifest.stages.get(name)
        if entry is None or entry.fingerprint != wanted:
            return False
        return entry.pruned or (output.exists() and self._hashes.of(output) == entry.output_sha256)

    def _input_hash(self, path: Path) -> str:
        """Hash an input; a pruned one is represented by the hash it had."""
        if self.is_pruned(path):
            return self._manifest.stages[path.relative_to(self._root).as_posix()].output_sha256
        return self._hashes.of(path)


def build_atomic(output: Path, make: Callable[[Path], object], **made_from: object) -> None:
    """Build a folder outside a run, complete or not at all; an interrupted call with equal ``made_from`` resumes.

    Raises:
        FddError: The folder exists and is not empty.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise FddError(f"{output} already exists; choose another folder, or delete it.")
    _build(output, make, fingerprint(0, plain(made_from), {}), is_file=False)
    (output / _FINISHED).unlink()


def _build(output: Path, make: Callable[[Path], object], wanted: str, is_file: bool) -> None:
    """Build an output under a temporary name next to its final path, then rename it."""
    unfinished = partial_of(output)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    with _full_disk_detected(unfinished.parent):
        if is_file:
            if unfinished.is_dir():
                delete(unfinished)
            make(unfinished)
        elif not _has_mark(unfinished, _FINISHED, wanted):
            _keep_work_of(unfinished, wanted)
            make(unfinished)
            # A rename needs no free space: even on a full disk, what was made is not made twice.
            (unfinished / _BEGUN).replace(unfinished / _FINISHED)
    if output.is_dir() or not is_file:
        delete(output)
    unfinished.replace(output)


@contextmanager
def _full_disk_detected(folder: Path) -> Iterator[None]:
    """Turn the errors in which libraries wrap a full disk back into the system's own, with the folder's name."""
    try:
        yield
    except Exception as error:
        known = error.errno if isinstance(error, OSError) and error.errno in _FULL else _full_disk_error(folder)
        if known is None or getattr(error, "filename", None) is not None:
            raise
        raise OSError(known, os.strerror(known), str(folder)) from error


def _full_disk_error(folder: Path) -> int | None:
    """Return the error number if the disk, or the user's quota, is full; else None."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE_BYTES))
    except OSError as error:
        return error.errno if error.errno in _FULL else None
    return None


def _why_again(entry: StageEntry, output: Path, version: int) -> str:
    if not output.exists():
        return "the output is missing"
    if entry.version != version:
        return "another version of fdd-edge made it, and this one makes it differently"
    return "its inputs, or the output itself, have changed"


def _keep_work_of(folder: Path, wanted: str) -> None:
    """Make sure that the folder exists and is empty, or holds unfinished work with the same fingerprint."""
    if not _has_mark(folder, _BEGUN, wanted):
        delete(folder)
        folder.mkdir(parents=True)
        (folder / _BEGUN).write_text(wanted, encoding="ascii")


def _has_mark(folder: Path, mark: str, wanted: str) -> bool:
    path = folder / mark
    return path.is_file() and path.read_bytes() == wanted.encode("ascii")
