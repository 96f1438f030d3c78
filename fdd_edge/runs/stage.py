"""Stages: an output counts as made while its fingerprint is the same; else it is built and renamed when complete."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.interrupt import stop_if_requested
from fdd_edge.progress import announce, debug, working
from fdd_edge.runs.atomic import check_output, clear_partial_file, delete, partial_of
from fdd_edge.runs.fingerprint import Inputs, Json, changed_names, fingerprint, named_paths, plain
from fdd_edge.runs.finish_mark import BEGUN, FINISHED, begin, finish, others_in, read_mark
from fdd_edge.runs.full_disk import full_disk_detected
from fdd_edge.runs.hashing import HashCache
from fdd_edge.runs.lock import output_lock
from fdd_edge.runs.manifest import Manifest, StageEntry
from fdd_edge.runs.own_files import refuse_links
from fdd_edge.runs.stage_words import describe_stage
from fdd_edge.runs.unfinished_work import set_aside, take_back

__all__ = ["PrunedInputError", "Stages", "Watch", "build_atomic", "refuse_occupied"]

_NAMED = 3
"""How many of the things that have changed are named."""


Watch = Callable[[str], AbstractContextManager[object]]


def _unwatched(name: str) -> AbstractContextManager[object]:
    return working(describe_stage(name).words)


class PrunedInputError(Exception):
    """A stage must be made from an output that was deleted to save space: restore that one first."""


class Stages:
    """The stages of one run folder."""

    def __init__(self, root: Path, manifest: Manifest) -> None:
        """Take the run folder and its manifest."""
        self._root = root
        self._manifest = manifest
        self._hashes = _hashes()
        self._watch: Watch = _unwatched

    def watch(self, watch: Watch) -> None:
        """Let every stage that has to be made be made inside a context, given the path of its output in the run."""
        self._watch = watch

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
        stated = {key: plain(value) for key, value in options.items()}
        with working("checking what is there"):
            hashes = {key: self._input_hash(path) for key, path in paths.items()}
            wanted = fingerprint(version, stated, hashes)
            is_unrecorded = _is_finished(output, wanted, self._hashes)
            is_done = not is_unrecorded and self._is_done(name, output, wanted)
        if is_done:
            debug(f"{name}: up to date")
            return False
        started = time.monotonic()
        if not is_unrecorded:
            self._check_can_make(name, output, version, list(paths.values()), {**stated, **hashes})
            with self._watch(name):
                _build(output, partial(make, **inputs, **options), wanted, is_file, self._hashes)
        seconds = round(time.monotonic() - started, 3)
        files = None if is_file else self._hashes.names_in(output)
        self._manifest.stages[name] = StageEntry(
            wanted, version, stated, hashes, self._hashes.of(output), seconds, files=files
        )
        self._manifest.write()
        debug(f"{name}: made in {seconds:.1f} s")
        if not is_file:
            (output / FINISHED).unlink()
        return not is_unrecorded

    def _check_can_make(
        self, name: str, output: Path, version: int, inputs: list[Path], made_from: Mapping[str, Json]
    ) -> None:
        """Refuse to make from pruned inputs, and to delete others' files; announce what is made again, and why."""
        pruned = [path for path in inputs if self.is_pruned(path)]
        if pruned:
            raise PrunedInputError(pruned[0])
        entry = self._manifest.stages.get(name)
        if entry is not None and entry.files is not None and (others := others_in(output, entry.files)):
            raise FddError(
                f"{output} holds {others[0]}, which fdd-edge did not make and would delete. Move that elsewhere, and "
                "run the command again."
            )
        if entry is not None and not entry.pruned:
            announce(f"{name} is made again: {_why_again(entry, output, version, made_from)}")

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
        if entry.files is not None and others_in(output, entry.files):
            for file in entry.files:
                delete(output / file)
        else:
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

    A call that fails before it has made anything leaves nothing.

    Raises:
        FddError: The folder exists and is not empty, is the current one, or another process is building it.
    """
    check_output(output)
    wanted, hashes = fingerprint(0, plain(made_from), {}), _hashes()
    with output_lock(output):
        # Killed between the rename and the end: what was finished is not made twice.
        if not _is_finished(output, wanted, hashes):
            refuse_occupied(output)
            try:
                with working(f"making {output}"):
                    _build(output, make, wanted, is_file=False, hashes=hashes, replaces=False)
            except Exception:
                _drop_empty(partial_of(output))
                raise
        (output / FINISHED).unlink()


def refuse_occupied(output: Path) -> None:
    """Refuse an output outside a run in whose place something is; an empty folder is not.

    Raises:
        FddError: Something is there, or a file where one of the folders around it would be.
    """
    around = next((folder for folder in output.parents if folder.exists()), Path())
    if not around.is_dir():
        raise FddError(f"{around} is not a folder; choose another one.")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise FddError(f"{output} already exists; choose another folder, or delete it.")


def _build(
    output: Path,
    make: Callable[[Path], object],
    wanted: str,
    is_file: bool,
    hashes: HashCache,
    *,
    replaces: bool = True,
) -> None:
    """Build an output under a temporary name next to its final path, then rename it.

    Args:
        output: The output.
        make: Builds it.
        wanted: Its fingerprint.
        is_file: Whether it is a single file.
        hashes: Hashes what was made.
        replaces: Whether an output that is there is deleted; otherwise only an empty folder gives way.

    Raises:
        FddError: Something is in the way.
    """
    unfinished = partial_of(output)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    with full_disk_detected(unfinished.parent, unfinished):
        _part_from_others(unfinished, wanted, keeps=not replaces)
        if is_file:
            if replaces and unfinished.is_dir():
                delete(unfinished)
            clear_partial_file(unfinished)
            make(unfinished)
        elif not _is_finished(unfinished, wanted, hashes):
            if replaces and os.path.lexists(unfinished) and (unfinished.is_symlink() or not unfinished.is_dir()):
                delete(unfinished)  # in a run, every such name is ours
            _keep_work_of(unfinished, wanted)
            make(unfinished)
            finish(unfinished, wanted, hashes)
    if replaces and (output.is_dir() or not is_file):
        delete(output)
    elif output.is_symlink():
        output.unlink()  # to an empty folder, or to none
    try:
        unfinished.replace(output)
    except OSError as error:
        if replaces or error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        raise FddError(f"{output} is no longer empty; what was made is in {unfinished}.") from None


def _why_again(entry: StageEntry, output: Path, version: int, made_from: Mapping[str, Json]) -> str:
    if not output.exists():
        return "the output is missing"
    if entry.version != version:
        return "another version of fdd-edge made it, and this one makes it differently"
    changed = changed_names({**entry.options, **entry.inputs}, made_from) or ["the output itself"]
    more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    return f"{', '.join(changed[:_NAMED])}{more} {'has' if len(changed) == 1 else 'have'} changed"


def _part_from_others(folder: Path, wanted: str, *, keeps: bool) -> None:
    """Set unfinished work with another fingerprint aside if it is to be kept; else say that it is deleted."""
    mark = read_mark(folder, BEGUN) or read_mark(folder, FINISHED)
    if mark is not None and mark.wanted != wanted:
        if keeps:
            set_aside(folder, mark.wanted, (BEGUN, FINISHED))
        else:
            announce(f"{folder} holds unfinished work that was made from other things, so it is deleted")
    if keeps and take_back(folder, wanted, (BEGUN, FINISHED)):
        announce(f"going on from the unfinished work of this command that was set aside next to {folder}")


def _keep_work_of(folder: Path, wanted: str) -> None:
    """Make sure that the folder exists and is empty, or holds unfinished work with the same fingerprint.

    Raises:
        FddError: The folder is not this tool's, or holds a link to something that the work would overwrite.
    """
    mark = read_mark(folder, BEGUN)
    if mark is not None and mark.is_begun(wanted):
        refuse_links(folder)
        return
    if os.path.lexists(folder):
        _delete_work(folder)
    folder.mkdir(parents=True)
    begin(folder, wanted)


def _delete_work(folder: Path) -> None:
    """Delete what an interrupted call left under a temporary name.

    Raises:
        FddError: It does not bear our mark, so that it is not ours to delete.
    """
    marks = [folder / mark for mark in (BEGUN, FINISHED)]
    is_ours = not folder.is_symlink() and folder.is_dir()
    if is_ours and any(folder.iterdir()):
        is_ours = any(mark.is_file() and not mark.is_symlink() for mark in marks)
    if not is_ours:
        raise FddError(f"{folder} is in the way, and fdd-edge did not make it; move it elsewhere.")
    # The marks last: a call that is killed in between leaves what the next one recognises.
    for path in folder.iterdir():
        if path not in marks:
            delete(path)
    delete(folder)


def _drop_empty(folder: Path) -> None:
    """Delete the folder of work that failed before it made anything: there is nothing to resume."""
    if (folder / BEGUN).is_file() and not folder.is_symlink():
        left = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
        if left == [folder / BEGUN]:
            delete(folder)


def _is_finished(folder: Path, wanted: str, hashes: HashCache) -> bool:
    """Return whether the folder was finished with this fingerprint, and its files are still as they were then.

    Files that were added since stay where they are.

    Raises:
        FddError: Its files were damaged since, and there are others, which would be deleted with it.
    """
    mark = read_mark(folder, FINISHED)
    if mark is None or mark.wanted != wanted:
        return False
    if mark.is_intact(folder, hashes):
        return True
    if others := others_in(folder, mark.names or ()):
        raise FddError(
            f"{folder} was damaged after it was finished, and holds {others[0]}, which fdd-edge did not make. Move "
            f"that elsewhere, and {folder.name} is made again."
        )
    announce(f"{folder} was damaged after it was finished, so it is made again")
    delete(folder)
    return False


def _hashes() -> HashCache:
    return HashCache(ignored=(BEGUN, FINISHED))
