"""Pack ``ondevice/`` into a single file, a zipapp (PEP 441); the same sources always give the same bytes."""

from __future__ import annotations

import atexit
import hashlib
import io
import shutil
import tempfile
import zipfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import fdd_edge.ondevice
from fdd_edge.cache import cache_folder
from fdd_edge.runs.atomic import write_shared
from fdd_edge.targets.trusted_cache import fault_of

__all__ = ["pack_runner", "runner_archive"]

_SHEBANG = b"#!/usr/bin/env python3\n"
_MAIN = "import sys\n\nfrom ondevice.runner_commands import main\n\nsys.exit(main())\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date of the zip format; the bytes must not depend on the clock."""


def pack_runner() -> bytes:
    """Return the archive's bytes.

    Members are stored uncompressed, because compressed bytes differ between versions of zlib.
    """
    root = Path(fdd_edge.ondevice.__file__).parent
    members = {f"ondevice/{path.relative_to(root).as_posix()}": path.read_bytes() for path in root.rglob("*.py")}
    members["__main__.py"] = _MAIN.encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, wherever it is packed
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, members[name])
    return _SHEBANG + buffer.getvalue()


def runner_archive() -> Path:
    """Return the path of the packed runner, named by its hash: in the cache, or where nobody else can write.

    What is in the cache is compared byte by byte, and made again if it is damaged, unreadable or another's work. Where
    that is impossible, because the cache is somebody else's, the runner is in a temporary folder of this process.
    """
    content = pack_runner()
    path = cache_folder("runners") / f"runner-{hashlib.sha256(content).hexdigest()[:16]}.pyz"
    if _is_whole(path, content):
        return path
    with suppress(OSError):
        write_shared(path, content, mode=0o644)  # whoever shares the cache may use it too
    return path if _is_whole(path, content) else _private_copy(path.name, content)


def _is_whole(path: Path, content: bytes) -> bool:
    """Return whether a file has this content, and nobody else can change it before it runs."""
    with suppress(OSError):
        return path.is_file() and not path.is_symlink() and path.read_bytes() == content and fault_of(path) is None
    return False


@cache
def _private_copy(name: str, content: bytes) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fdd-edge-runner-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / name).write_bytes(content)
    return folder / name
