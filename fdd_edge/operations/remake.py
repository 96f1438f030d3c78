"""Makes an artifact again from what it was made from, and compares the two byte by byte."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from fdd_edge.artifacts.family import all_families
from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.ondevice.device_info import cpu_model
from fdd_edge.parity import Certificate, was_checked_here
from fdd_edge.progress import warnings_only, working
from fdd_edge.runs.full_disk import full_disk_detected
from fdd_edge.runs.marked_folder import temporary_folder

__all__ = ["Difference", "compare_remade", "differences_from_here", "how_to_fix"]

_PIECE = 1 << 20


class Difference(NamedTuple):
    """The first byte in which an artifact differs from what is made of its float model now.

    Attributes:
        file: Name of the file.
        offset: Number of equal bytes before it; None if the artifact lacks the file.
    """

    file: str
    offset: int | None

    def __str__(self) -> str:
        return f"lacks {self.file}" if self.offset is None else f"{self.file} differs from byte {self.offset:,} on"


def compare_remade(artifact: Path, make: Callable[[Path], object]) -> Difference | None:
    """Make an artifact again in a temporary folder, and compare every file; return the first difference, or None.

    Args:
        artifact: Folder of the artifact. What else is in it, such as a README, is not compared.
        make: Writes the artifact to the folder that it is given.

    Raises:
        FddError: It cannot be made: a package is missing, the disk is too small, or its source is damaged.
    """
    with temporary_folder("verify") as work, working(f"making {artifact.name} again"):
        made = work / "made"  # next to which a float artifact may be made
        with warnings_only(), full_disk_detected(work, made):
            make(made)
        files = sorted(path for path in made.rglob("*") if path.is_file())
        differences = (_compare(made, artifact, str(file.relative_to(made))) for file in files)
        return next((difference for difference in differences if difference is not None), None)


def _compare(made: Path, kept: Path, name: str) -> Difference | None:
    """Compare one file of two folders."""
    if not (kept / name).is_file():
        return Difference(name, None)
    offset = 0
    with (made / name).open("rb") as one, (kept / name).open("rb") as other:
        while True:
            left, right = one.read(_PIECE), other.read(_PIECE)
            if left != right:
                equal = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), None)
                return Difference(name, offset + (min(len(left), len(right)) if equal is None else equal))
            if not left:
                return None
            offset += len(left)


def _packages_of(recipe: Recipe) -> list[str]:
    """Return the packages that make the artifacts of a recipe, besides the runtime, which a certificate names."""
    if recipe.needs_float_artifact:
        return []
    families = [family for family in all_families() if family.device.recipe_family == recipe.family]
    return list(dict.fromkeys(name for family in families for name in family.export_packages))


def differences_from_here(
    recipe: Recipe, certificate: Certificate | None, versions: Mapping[str, str | None]
) -> Iterator[str]:
    """Yield why this machine may make other bytes of an artifact than the one that made it; nothing if it may not.

    Args:
        recipe: The recipe of the artifact.
        certificate: Of the artifact, or of another one that was made there; it says on what it was compared. Only one
            that was made here is believed: anybody can write another CPU into one.
        versions: Versions of packages where it was made, as far as they are known.
    """
    for package in _packages_of(recipe):
        here = _version(package)
        if package not in versions:
            yield f"the version of {package} that made it is not known"
        elif versions[package] != here:
            yield f"{package} was {versions[package]}, and is {here} here"
    if certificate is None or certificate.target.get("name") != "local" or not was_checked_here(certificate):
        yield "no certificate that was made here says on which CPU it was made"
        return
    here_is = {"machine": platform.machine(), "cpu": cpu_model()}
    runtime = str(certificate.target.get("runtime"))
    here_is |= {"runtime_version": _version(runtime) or "not installed"}
    if runtime == "llama-cpp-python" and _version(runtime):
        here_is |= {"system_info": _llama_build()}
    words = {"machine": "machine", "cpu": "CPU", "runtime_version": runtime, "system_info": f"the build of {runtime}"}
    for key, here in here_is.items():
        if (there := certificate.target.get(key)) != here:
            yield f"{words[key]} was {there}, and is {here} here"


def how_to_fix(fix: str, reasons: Sequence[str]) -> str:
    """Return what to do about an artifact with other bytes, given why this machine may make others, if it may."""
    if not reasons:
        return fix
    elsewhere = f"It may have been made on a machine that makes other bytes ({reasons[0]}): verify it there."
    return f"{elsewhere} Else: {fix[0].lower()}{fix[1:]}"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _llama_build() -> str:
    """Return for which instructions llama.cpp was compiled, as its runner reports it."""
    import llama_cpp

    return str(llama_cpp.llama_print_system_info().decode()).strip()
