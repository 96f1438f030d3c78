"""Code that is kept in the cache folder and run later: only if nobody else could have put it there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from fdd_edge.cache import cache_dir
from fdd_edge.errors import FddError
from fdd_edge.ondevice.bootstrap import can_others_write

__all__ = ["fault_of", "require_trusted"]


def fault_of(path: Path) -> str | None:
    """Return why a file or folder of the cache cannot be trusted; None if only this user and root can change it.

    A cache may be shared: the folders above, up to the cache folder itself, must not let others replace what is in
    them. One in which each may delete only their own files, as in ``/tmp``, does not.
    """
    for place in (path, *path.parents):
        for status in (place.lstat(), place.stat()):
            if status.st_uid not in (os.geteuid(), 0):
                return f"{place} belongs to another user"
        is_shared = place != path and status.st_mode & stat.S_ISVTX
        if can_others_write(status) and not is_shared:
            return f"other users can write to {place}"
        if place == cache_dir():
            break
    return None


def require_trusted(*paths: Path) -> None:
    """Refuse code that somebody else could have put into the cache.

    Raises:
        FddError: It is; says why, and what to do.
    """
    for path in paths:
        if fault := fault_of(path):
            raise FddError(
                f"{path} holds code that cannot be trusted, because {fault}. Set FDD_EDGE_CACHE to a folder of your "
                "own, and it is made again there."
            )
