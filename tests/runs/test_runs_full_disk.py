"""A full disk, a quota that is used up, a limit of file sizes: one error, whatever library met it."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from fdd_edge.errors import FddError, ParityError, TargetError
from fdd_edge.runs.full_disk import full_disk_detected


def caught(folder: Path, error: Exception) -> Exception:
    """Return what becomes of an error."""
    with pytest.raises(Exception) as raised, full_disk_detected(folder, folder / "made"):  # any
        raise error
    return raised.value


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_the_error_names_the_folder(number: int, tmp_path: Path) -> None:
    for error in (
        OSError(number, "x"),
        RuntimeError(f"SafetensorError: IoError(... (os error {number}))"),
        FddError(f"the builder failed: OSError: [Errno {number}] x"),
    ):
        found = caught(tmp_path, error)
        assert isinstance(found, OSError)
        assert (found.errno, found.filename) == (number, str(tmp_path))


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    for error in (
        ValueError("x"),
        OSError(errno.EACCES, "x", "file"),
        OSError(errno.ENOSPC, "x", "/another/disk"),
        TargetError("pi: No space left on device (os error 28)"),
        ParityError("x"),
    ):
        assert caught(tmp_path, error) is error


@pytest.fixture
def small_files() -> Iterator[int]:
    """Let no file grow beyond 3 MB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, before[1]))
    yield 3_000_000
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_library_that_hides_the_limit_of_file_sizes(tmp_path: Path, small_files: int) -> None:
    """Only what was written shows it: a small file can still be written."""

    def fill() -> None:
        with (tmp_path / "made").open("wb") as file:
            file.write(bytes(small_files))
        raise RuntimeError("iostream error")

    with pytest.raises(OSError) as raised, full_disk_detected(tmp_path, tmp_path / "made"):
        fill()
    assert raised.value.errno == errno.EFBIG
