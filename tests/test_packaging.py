"""What is installed is complete: the wheel contains the data files, the type marker and the metadata."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from fdd_edge import catalog

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def test_every_file_of_the_shelves_is_in_the_wheel(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    on_shelves = [
        p for shelf in ("bundle", "configs", "export", "devices") for p in (ROOT / shelf).rglob("*") if p.is_file()
    ]
    assert len(on_shelves) > 12
    assert {f"fdd_edge/_catalog/{p.relative_to(ROOT)}" for p in on_shelves} <= inside


def test_the_wheel_says_that_the_package_is_typed(wheel: Path) -> None:
    assert "fdd_edge/py.typed" in zipfile.ZipFile(wheel).namelist()


def test_the_metadata_says_what_an_index_shows(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = message_from_bytes(archive.read(name))
    assert metadata["Author"] == "fdd-edge developers"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_all("Project-URL")
    classifiers = metadata.get_all("Classifier") or []
    assert {"Operating System :: POSIX :: Linux", "Typing :: Typed"} <= set(classifiers)
    assert len(metadata["Keywords"].split(",")) > 5
    assert "# fdd-edge" in str(metadata.get_payload())


def test_an_installed_package_finds_its_shelves(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    program = "from fdd_edge import catalog; print(catalog.shelf_path('configs'), *catalog.names('export/recipes'))"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    folder, *recipes = ran.stdout.split()
    assert folder == str(tmp_path / "site" / "fdd_edge" / "_catalog" / "configs")
    assert recipes == catalog.names("export/recipes")


def test_the_version_of_the_changelog_is_that_of_the_package() -> None:
    from fdd_edge import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_nothing_that_is_tracked_is_ignored() -> None:
    """A pattern meant for run folders once kept the room `runs/` out of the repository."""
    for room in (ROOT / "fdd_edge").rglob("*.py"):
        ran = subprocess.run(["git", "check-ignore", "-q", "--no-index", str(room)], cwd=ROOT, check=False)
        assert ran.returncode != 0, room


def test_boards_are_held_to_the_runtime_this_release_was_tested_with() -> None:
    from fdd_edge.targets import RUNTIME_VERSIONS

    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert RUNTIME_VERSIONS.items() <= pinned.items()
