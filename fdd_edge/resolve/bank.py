"""Banks as a user names them: files of problems with programs, which a recorded teacher gives out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from fdd_edge.curation import Curated, check_programs, count_reasons
from fdd_edge.data import read_leniently
from fdd_edge.errors import FddError, no_file
from fdd_edge.progress import progress, warn
from fdd_edge.records import Problem
from fdd_edge.runs.hashing import HashCache
from fdd_edge.teachers.recorded import Bank, RecordedTeacher

__all__ = ["check_bank", "open_bank", "read_bank"]

_UNREADABLE = "unreadable"
_CHUNK = 500
_LONGEST_ID = 80
_HASHES = HashCache()


def check_bank(path: Path, name: str) -> None:
    """Refuse a bank of which nothing would be left; only as many programs are run as it takes to find a right one.

    Raises:
        FddError: As for ``read_bank``.
    """
    if not path.is_file():
        raise no_file(path)
    if not any(check_programs([problem]).kept for problem in read_leniently(path, name=name).problems):
        read_bank(path, name)


def open_bank(path: Path, name: str) -> RecordedTeacher:
    """Return the teacher that gives out the problems of a file, which is read when it is first asked.

    To find what is wrong with the file before that, call ``check_bank``.

    Raises:
        FddError: There is no such file.
    """
    if not path.is_file():
        raise no_file(path)
    return RecordedTeacher(name, partial(read_bank, path, name))


def read_bank(path: Path, name: str) -> Bank:
    """Read a bank; rows that are broken, or whose program does not give their answer, are counted and left out.

    A file that does not change is read and checked once per process, and so indexed once.

    Args:
        path: JSON lines with ``question``, ``answer`` and ``program``, or any other data set with programs.
        name: The teacher's name, under which the problems say where they are from.

    Raises:
        FddError: There is no such file, it cannot be read, or nothing is left of it.
    """
    if not path.is_file():
        raise no_file(path)
    return _read(path, name, _HASHES.of(path))


class _LeftOut(NamedTuple):
    reason: str
    row: str
    detail: str


@lru_cache(maxsize=2)
def _read(path: Path, name: str, sha256: str) -> Bank:
    """Read a bank; ``sha256`` is there for the cache, which then does not return an earlier content of the file."""
    dataset = read_leniently(path, name=name)
    checked = _check(dataset.problems, name)
    left_out = [
        *(_LeftOut(_UNREADABLE, skipped.item[:_LONGEST_ID], skipped.reason) for skipped in dataset.skipped),
        *(_LeftOut(str(p.reason), p.id[:_LONGEST_ID], p.detail or "it has no program") for p in checked.rejected),
    ]
    first = {found.reason: found for found in reversed(left_out)}
    counts = ({_UNREADABLE: len(dataset.skipped)} if dataset.skipped else {}) | count_reasons(checked.rejected)
    listed = ", ".join(f"{n} {reason}" for reason, n in counts.items())
    examples = "; ".join(f"{first[reason].row} ({first[reason].detail})" for reason in counts)
    if not checked.kept:
        raise FddError(
            f"The bank {path} has no problem with a program that gives its answer ({listed}); each row needs a "
            f"`question`, an `answer` and a `program`. The first of each: {examples}."
        )
    if left_out:
        n, of = len(left_out), len(left_out) + len(checked.kept)
        warn(
            f"{path}: {n} of {of} rows of the bank {'is' if n == 1 else 'are'} left out ({listed}). The first of each: "
            f"{examples}."
        )
    return Bank(tuple(checked.kept))


def _check(problems: Sequence[Problem], name: str) -> Curated:
    """Run every program, which takes a second for every 1,500."""
    checked = Curated([], [])
    with progress(f"checking the programs of {name}", len(problems), "programs") as advance:
        for at in range(0, len(problems), _CHUNK):
            kept, rejected = check_programs(problems[at : at + _CHUNK])
            checked.kept.extend(kept)
            checked.rejected.extend(rejected)
            advance(min(at + _CHUNK, len(problems)))
    return checked
