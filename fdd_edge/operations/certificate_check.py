"""Whether a certificate is of the file next to it, and as it was written: nothing is compared again."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fdd_edge.artifacts.facts import model_bytes
from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.model_files import hash_model
from fdd_edge.parity import CERTIFICATE_VERSION, Certificate, was_checked_here

__all__ = ["CheckedCertificate", "check_certificate"]


class CheckedCertificate(NamedTuple):
    """What was found out about a certificate.

    Attributes:
        holds: Whether it is what it claims to be; None if that cannot be known.
        says: Why, in words that follow its name.
        certificate: The certificate, if it can be read.
    """

    holds: bool | None
    says: str
    certificate: Certificate | None = None


def check_certificate(path: Path, model: Path, recipe: str, *, folder_sha256: str | None = None) -> CheckedCertificate:
    """Compare a certificate with the file that it is about, and with itself.

    Args:
        path: The certificate.
        model: The model file.
        recipe: Name of the recipe that the file was made by.
        folder_sha256: Hash of the folder of its float model, if that is there.
    """
    try:
        certificate, text = Certificate.read(path), path.read_text(encoding="utf-8")
    except FddError:
        return _unreadable(path)
    sha256 = certificate.artifact.get("sha256")
    if text != certificate.to_text():
        fault = _fault_of_text(text, certificate)
    elif certificate.artifact.get("recipe") != recipe:
        fault = f"is of {certificate.artifact.get('recipe')}, not of {recipe}"
    elif folder_sha256 not in (None, certificate.reference.get("sha256")):
        fault = "is of another float model than the one that is here"
    elif not model.is_file():
        return CheckedCertificate(None, "of a file that was deleted to save space", certificate)
    elif sha256 != hash_model(model) or certificate.artifact.get("bytes") != model_bytes(model):
        fault = f"is of a file with another hash than {model.name} has"
    elif not certificate.passed:
        failed = ", ".join(item.name for item in certificate.failed) or "an item that is missing"
        return CheckedCertificate(None, f"says itself that the file failed its parity check ({failed})", certificate)
    else:
        made = "made on this machine" if was_checked_here(certificate) else "made elsewhere, so its figures are a claim"
        return CheckedCertificate(True, f"of this file, which passed; {made}", certificate)
    return CheckedCertificate(False, fault, certificate)


def _fault_of_text(text: str, certificate: Certificate) -> str:
    """Return what a certificate says that does not follow from what else it says."""
    if parse_json(text).get("passed") != certificate.passed:
        failed = ", ".join(item.name for item in certificate.failed) or "an item that is missing"
        return f"says that the file {'failed' if certificate.passed else f'passed, and that {failed} did not'}"
    return "is not as fdd-edge wrote it"


def _unreadable(path: Path) -> CheckedCertificate:
    """Return what is known of a file that is not a certificate of this version."""
    try:
        version = parse_json(path.read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return CheckedCertificate(False, "is not a parity certificate")
    if version != CERTIFICATE_VERSION:
        return CheckedCertificate(None, "was written by another version of fdd-edge, which this one cannot read")
    return CheckedCertificate(False, "is not a parity certificate")
