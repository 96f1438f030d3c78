"""The folder on a board: nobody else may write there, and nothing in it but our own files is touched."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fdd_edge.ondevice import bootstrap, venv_setup
from fdd_edge.ondevice.board_store import clean, lock_board
from fdd_edge.ondevice.messages import RunnerError

HASH = "a" * 64
DEAD = 2**22 + 1
"""No process has this number."""


def refusal(home: Path) -> str:
    with pytest.raises(RunnerError) as error, lock_board(home):
        pass
    assert error.value.kind == "device"
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["", "models", "runners", "waves", "runtime-wheels", "venv"])
def test_a_folder_in_which_others_can_write_is_refused(tmp_path: Path, name: str) -> None:
    """`home: /tmp/x` with mode 0777: anybody could replace the runner between its check and its start."""
    home = tmp_path / "home"
    (home / name).mkdir(parents=True)
    (home / name).chmod(0o777)
    assert "other users can write in" in refusal(home)
    (home / name).chmod(0o1777)  # each can delete only their own files, but add any
    assert "other users can write in" in refusal(home)
    (home / name).chmod(0o700)
    with lock_board(home):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user, which needs root")
def test_a_folder_of_another_user_or_of_a_group_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, -1)
    assert f"{home} belongs to another user" in refusal(home)
    os.chown(home, 0, 65534)
    home.chmod(0o770)
    assert "other users can write in" in refusal(home)
    os.chown(home, 0, 0)
    (tmp_path / "link").symlink_to(home)
    os.lchown(tmp_path / "link", 65534, -1)
    assert "belongs to another user" in refusal(tmp_path / "link")


def test_a_new_folder_is_this_users_alone(tmp_path: Path) -> None:
    with lock_board(tmp_path / "new" / "home"):
        pass
    assert (tmp_path / "new" / "home").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["link", "dangling", "second name", "pipe"])
def test_a_lock_that_is_something_else_is_refused(tmp_path: Path, kind: str) -> None:
    """The file behind a link was emptied and overwritten by a process id."""
    keys, home = tmp_path / "keys", tmp_path / "home"
    home.mkdir(mode=0o700)
    keys.write_text("my key")
    match kind:
        case "link":
            (home / "lock").symlink_to(keys)
        case "dangling":
            (home / "lock").symlink_to(tmp_path / "new")
        case "second name":
            os.link(keys, home / "lock")
        case "pipe":
            os.mkfifo(home / "lock")
    assert f"{home / 'lock'} is " in refusal(home)
    assert keys.read_text() == "my key"
    assert not (tmp_path / "new").exists()


def test_a_disk_without_locks_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert "has no locks (Operation not supported); set home to a folder on another disk" in refusal(tmp_path / "home")


def test_clean_follows_no_links(tmp_path: Path) -> None:
    home, mine = tmp_path / "home", tmp_path / "mine"
    for folder in (mine, mine / HASH, home / "models", home / "runners"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (mine / f"{HASH}.gguf").write_bytes(b"mine")
    (mine / HASH / "thesis.txt").write_bytes(b"mine")
    (mine / f"{HASH}.json").write_bytes(b"mine")
    (home / "models" / HASH).symlink_to(mine / HASH)
    (home / "models" / f"{HASH}.gguf").symlink_to(mine / f"{HASH}.gguf")
    (home / "waves").symlink_to(mine)
    (home / "runners" / "runner-2023.pyz").write_bytes(b"mine")
    (home / "runners" / f"runner-{'0' * 16}.pyz").write_bytes(b"ours")
    assert clean(home) == 4
    assert sorted(path.name for path in mine.rglob("*")) == sorted([HASH, f"{HASH}.gguf", f"{HASH}.json", "thesis.txt"])
    assert [path.name for path in (home / "runners").iterdir()] == ["runner-2023.pyz"]


def test_only_our_partial_files_are_stale(tmp_path: Path) -> None:
    """Any `NAME.NUMBER.partial` beside a model was deleted if the number was no process: a year, for instance."""
    theirs = ["backup.2023.partial", f"thesis.tex.{DEAD}.partial", "x.partial"]
    ours = [f"{HASH}.gguf.{DEAD}.partial", f"{HASH}.{DEAD}.partial", f"runner-{'0' * 16}.pyz.{DEAD}.partial"]
    for name in (*theirs, *ours, f"{HASH}.gguf.{os.getpid()}.partial"):
        (tmp_path / name).touch()
    bootstrap._remove_stale_partials(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*theirs, f"{HASH}.gguf.{os.getpid()}.partial"}


def test_a_file_is_received_beside_a_link_and_not_through_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, path = tmp_path / "keys", tmp_path / "models" / f"{HASH}.gguf"
    keys.write_text("my key")
    path.parent.mkdir()
    path.symlink_to(keys)
    path.with_name(f"{path.name}.{os.getpid()}.partial").symlink_to(keys)
    read, write = os.pipe()
    os.write(write, b"x")
    os.close(write)
    with os.fdopen(read, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
        bootstrap._receive_file(path, bootstrap.File("", digest, 1))
    assert keys.read_text() == "my key"
    assert path.read_bytes() == b"x"
    assert not path.is_symlink()


@pytest.mark.parametrize("kind", ["files", "packages", "link"])
def test_an_environment_of_the_users_is_not_cleared(tmp_path: Path, kind: str) -> None:
    """A folder `venv` without pip was cleared, with all that was in it."""
    folder = tmp_path / "venv"
    packages = (folder if kind != "link" else tmp_path / "mine") / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    mine = packages / "torch" if kind == "packages" else packages.parents[2] / "thesis.txt"
    mine.touch()
    if kind == "link":
        folder.symlink_to(tmp_path / "mine")
    with pytest.raises(RunnerError, match=r"venv is not an environment that this tool made\. Delete it, or set home"):
        venv_setup._create_environment(folder)
    assert mine.exists()


def test_a_wheel_whose_members_lead_outside_installs_nothing_there(tmp_path: Path) -> None:
    wheels, home = tmp_path / "home" / "runtime-wheels", tmp_path / "home"
    wheels.mkdir(mode=0o700, parents=True)
    home.chmod(0o700)
    info = "evil-1.0.dist-info"
    with zipfile.ZipFile(wheels / "evil-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("../../../../../escaped.txt", "outside")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "../../../../../escaped.txt,,\n")
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(RunnerError, match=r"installing evil==1.0 failed: ") as error:
        venv_setup.install_runtime(home, "evil==1.0", None)
    assert "\n" not in str(error.value)
    assert {path.name for path in tmp_path.iterdir()} == before
    assert not list(home.rglob("escaped.txt"))


def test_the_board_gives_its_runner_no_secrets_but_pip_its_proxy(tmp_path: Path) -> None:
    given = dict(os.environ, HF_TOKEN="secret", https_proxy="http://proxy", OMP_NUM_THREADS="7")
    show = tmp_path / "show.py"
    show.write_text("import os\nprint(sorted({'HF_TOKEN', 'https_proxy', 'OMP_NUM_THREADS'} & set(os.environ)))")
    for command, expected in (("serve", "[]"), ("setup", "['HF_TOKEN', 'https_proxy']")):
        code = f"from fdd_edge.ondevice.bootstrap import _run; _run([{sys.executable!r}, {str(show)!r}, {command!r}])"
        ran = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True)
        assert ran.stdout.strip() == expected


def test_a_board_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    message = f'{{"home": "{home}", "files": [], "arguments": ["info"]}}\n'
    source = Path(bootstrap.__file__)
    process = subprocess.Popen([sys.executable, "-I", str(source)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = process.communicate(message.encode(), timeout=60)
    assert b'"error": "device"' in out
    assert b"other users can write in" in out
    assert list(home.iterdir()) == []
