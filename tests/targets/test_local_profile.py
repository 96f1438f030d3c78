from pathlib import Path

import pytest

from fdd_edge import catalog
from fdd_edge.errors import FddError
from fdd_edge.targets import Profile, load_profile, resolve_threads

SHIPPED = sorted(catalog.shelf_path("devices/profiles").glob("*.yaml"))


def test_profiles_are_shipped() -> None:
    assert "local" in [path.stem for path in SHIPPED]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_profile_is_valid_and_named_after_its_file(path: Path) -> None:
    profile = load_profile(str(path))
    assert profile.name == path.stem
    assert profile.description


@pytest.mark.parametrize("word", ["cpu", "cuda"])
def test_a_torch_device_is_no_target(word: str) -> None:
    with pytest.raises(
        FddError, match=f"A target is a device profile, and '{word}' is none: this machine's CPU is 'local'"
    ):
        load_profile(word)


def test_an_unknown_name_suggests_the_near_one() -> None:
    with pytest.raises(FddError, match="Did you mean 'local'"):
        load_profile("locl")


def test_all_faults_at_once(tmp_path: Path) -> None:
    path = tmp_path / "board.yaml"
    path.write_text("name: board\nthread: 2\nthreads: 0\ntransport: pigeon\n")
    with pytest.raises(FddError) as error:
        load_profile(str(path))
    message = str(error.value)
    assert "thread: unknown key. Did you mean 'threads'?" in message
    assert "threads: input should be greater than or equal to 1, not 0" in message
    assert "transport: input should be 'local', 'ssh', 'emulated' or 'pool', not 'pigeon'" in message


@pytest.mark.parametrize("content", ["- a\n", "a: [\n", ""])
def test_what_is_no_profile_at_all(tmp_path: Path, content: str) -> None:
    path = tmp_path / "board.yaml"
    path.write_text(content)
    with pytest.raises(FddError, match=r"board\.yaml"):
        load_profile(str(path))


def test_the_profile_goes_before_the_request() -> None:
    assert resolve_threads(Profile(name="board", threads=3), 2) == 3
    assert resolve_threads(Profile(name="board"), 2) == 2
    assert resolve_threads(Profile(name="board"), None) >= 1
