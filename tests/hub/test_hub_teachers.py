"""A model file of the hub as a teacher: fetched when a run begins, checked before anything is trained, and pinned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import write_tiny_gguf
from hub_commands import python
from hub_server import Hub, serve

pytest.importorskip("gguf", reason="needs: pip install 'fdd-edge[gguf]'")

FETCH = """
import json, sys
from fdd_edge.errors import FddError
from fdd_edge.operations.teaching import fetch_teacher, name_teacher
from fdd_edge.teachers.language_model.teacher_options import GgufOptions

commits = json.loads({commits!r})
try:
    named = name_teacher("own", {{"own": GgufOptions({name!r}, {revision!r})}}, writer=True)
    assert named.file is None
    found = fetch_teacher(named, commits)
    fetch_teacher(found, commits)
    print(found.file, json.dumps(found.fingerprint()["model"]), json.dumps(commits), sep="\\n")
except FddError as error:
    sys.exit(f"Error: {{error}}")
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_tiny_gguf(tmp_path_factory.mktemp("model") / "m.gguf").read_bytes()


def fetch(cwd: Path, hub: Hub, name: str, revision: str | None = None, commits: str = "{}") -> list[str]:
    ran = python(cwd, hub, FETCH.format(name=name, revision=revision, commits=commits))
    assert "Traceback" not in ran.stderr
    return ran.stdout.splitlines() or ran.stderr.splitlines()[-1:]


def test_the_only_file_of_a_repository(tmp_path: Path, hub: Hub, model: bytes) -> None:
    commit = hub.push("models/owner/chat-GGUF", {"README.md": "x", "q4.gguf": model, "config.json": "{}"})
    path, _, commits = fetch(tmp_path, hub, "owner/chat-GGUF")
    assert Path(path).read_bytes() == model and commit in path
    assert hub.fetched() == {"q4.gguf"}
    hub.push("models/owner/chat-GGUF", {"q4.gguf": b"another"})
    again, *_ = fetch(tmp_path, hub, "owner/chat-GGUF", commits=commits)
    assert again == path, "a run keeps the commit that it began with"


def test_one_of_several_files(tmp_path: Path, hub: Hub, model: bytes) -> None:
    hub.push("models/owner/chat-GGUF", {"q4.gguf": model, "big/q8.gguf": model}, revision="v1")
    hub.push("models/owner/chat-GGUF", {"q2.gguf": b""})
    assert fetch(tmp_path, hub, "owner/chat-GGUF", "v1") == [
        "Error: owner/chat-GGUF has 2 .gguf files; name one of them, such as owner/chat-GGUF/big/q8.gguf. It has "
        "big/q8.gguf, q4.gguf."
    ]
    assert fetch(tmp_path, hub, "owner/chat-GGUF/q6.gguf", "v1") == [
        "Error: owner/chat-GGUF has no q6.gguf; it has big/q8.gguf, q4.gguf."
    ]
    path, *_ = fetch(tmp_path, hub, "owner/chat-GGUF/big/q8.gguf", "v1")
    assert path.endswith("/big/q8.gguf")
    assert hub.fetched() == {"big/q8.gguf"}


def test_a_model_in_pieces_is_one(tmp_path: Path, hub: Hub, model: bytes) -> None:
    pieces = {f"m-0000{n}-of-00002.gguf": model for n in (1, 2)}
    hub.push("models/owner/split-GGUF", pieces)
    path, *_ = fetch(tmp_path, hub, "owner/split-GGUF")
    assert path.endswith("m-00001-of-00002.gguf")
    assert hub.fetched() == pieces.keys()


def test_what_cannot_be_a_teacher(tmp_path: Path, hub: Hub) -> None:
    hub.push("models/owner/none", {"model.safetensors": b"x"})
    (sentence,) = fetch(tmp_path, hub, "owner/none")
    assert sentence.startswith("Error: owner/none has no .gguf file; name a repository that has one")
    base = write_tiny_gguf(tmp_path / "base.gguf", chat_template=None).read_bytes()
    hub.push("models/owner/base-GGUF", {"base.gguf": base})
    (sentence,) = fetch(tmp_path, hub, "owner/base-GGUF")
    assert "base.gguf has no chat template, so it cannot be asked as a teacher" in sentence
    (sentence,) = fetch(tmp_path, hub, "owner/missing-GGUF")
    assert "has no model of that name" in sentence
