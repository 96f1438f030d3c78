"""Pack ``ondevice/`` into a single file, a zipapp (PEP 441); the same sources always give the same bytes."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import fdd_edge.ondevice
from fdd_edge.cache import cache_dir
from fdd_edge.runs.atomic import write_shared

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
    """Return the path of the packed runner in the cache; it is named by its hash and written only once."""
    content = pack_runner()
    path = cache_dir() / "runners" / f"runner-{hashlib.sha256(content).hexdigest()[:16]}.pyz"
    if not path.is_file():
        write_shared(path, content)
    return path
