"""Which certificates were made on this machine, by this user.

A ``parity.json`` is a text that anybody can write, and it comes with files from elsewhere. So each one that is made
here is also kept in the user's cache, under the hashes of the artifact and of everything it says: a folder from
elsewhere cannot write there. Without that copy, for instance after the cache was deleted, a certificate is only a
claim; ``fdd-edge parity`` makes it again.
"""

from __future__ import annotations

import json
from pathlib import Path

from fdd_edge.cache import cache_folder
from fdd_edge.errors import FddError
from fdd_edge.parity.certificate import Certificate
from fdd_edge.progress import warn
from fdd_edge.runs.atomic import write_shared
from fdd_edge.runs.hashing import sha256_of

__all__ = ["certificate_made_here", "keep_certificate", "was_checked_here"]


def keep_certificate(certificate: Certificate, key: str | None = None) -> None:
    """Keep a certificate that was made here; if the cache cannot be written, it will only count as a claim.

    Args:
        certificate: The certificate.
        key: By what it is found again: the hash of all that was compared. Default: the artifact's sha256.
    """
    kept = _kept(certificate, key)
    try:
        write_shared(kept, certificate.to_text().encode())
    except OSError as error:
        warn(f"{kept.parent} cannot be written ({error.strerror}), so the certificate will count as a claim")


def was_checked_here(certificate: Certificate) -> bool:
    """Return whether exactly this certificate was made here."""
    return _read(_kept(certificate)) is not None


def certificate_made_here(key: str) -> Certificate | None:
    """Return the newest certificate that was made here and kept under a key, such as its artifact's sha256, or None."""
    files = sorted(_folder(key).glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return next((found for file in files if (found := _read(file)) is not None), None)


def _read(kept: Path) -> Certificate | None:
    """Read a kept certificate; None if there is none, if it is of another version, or if it is damaged."""
    if not kept.is_file():
        return None
    try:
        certificate = Certificate.read(kept)
    except FddError as error:
        warn(f"{error} It is ignored.")
        return None
    if _kept(certificate).name != kept.name:
        warn(f"{kept} was damaged after it was made; delete it and make it again. It is ignored.")
        return None
    return certificate


def _kept(certificate: Certificate, key: str | None = None) -> Path:
    content = json.dumps(certificate.to_dict(), sort_keys=True)
    return _folder(key or str(certificate.artifact.get("sha256"))) / f"{sha256_of(content)}.json"


def _folder(key: str) -> Path:
    # Hashed again, because a certificate from elsewhere may say anything here.
    return cache_folder("certificates") / sha256_of(key)
