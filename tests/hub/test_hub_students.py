"""Students by hub id, from the command line, against a hub on loopback and the real client."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_commands import assert_nowhere, fdd_edge, python, refused
from hub_server import Hub, serve
from hub_student import safe, sharded

from fdd_edge.artifacts.gguf.reader import field, open_gguf
from fdd_edge.resolve.student import Student

TOKEN = "hf_AVerySecretTokenOfTheTests"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def shards(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return sharded(tiny_student.folder, tmp_path_factory.mktemp("shards"))


def export(cwd: Path, hub: Hub, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return fdd_edge(cwd, hub, "export", *arguments, "-r", "gguf-q8_0", "-o", "out", **environment)


LOCATE = """
from fdd_edge.progress import show_on_stderr
from fdd_edge.students.locate import locate
show_on_stderr()
print(locate({!r}, {!r}).path)
"""


def locate(cwd: Path, hub: Hub, id: str, revision: str | None, **environment: str) -> Path:
    """Return the folder of a student of the hub, without training anything."""
    ran = python(cwd, hub, LOCATE.format(id, revision), **environment)
    assert ran.returncode == 0, ran.stderr
    return Path(ran.stdout.strip())


@pytest.mark.slow
def test_a_sharded_student_by_revision_and_only_what_is_safe(
    hub: Hub, shards: dict[str, bytes], tmp_path: Path
) -> None:
    hub.push("models/owner/tiny", shards, revision="v1")
    hub.push("models/owner/tiny", {"README.md": "Not a model yet."})
    ran = export(tmp_path, hub, "owner/tiny", "--revision", "v1", "--json")
    assert ran.returncode == 0, ran.stderr
    (card,) = json.loads(ran.stdout)["artifacts"]
    assert (tmp_path / card["path"]).is_file()
    assert hub.fetched() == set(safe(shards))
    assert field(open_gguf(tmp_path / card["path"]), "general.name") == "tiny"


def test_fetched_files_are_found_without_a_network(hub: Hub, shards: dict[str, bytes], tmp_path: Path) -> None:
    commit = hub.push("models/owner/tiny", shards, revision="v1")
    where = locate(tmp_path, hub, "owner/tiny", "v1")
    assert where.parts[-3:] == ("owner", "tiny", commit)
    assert {path.name for path in where.iterdir()} == set(safe(shards))
    asked = len(hub.requests)
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    for revision in ("v1", commit):
        for environment in ({"HF_HUB_OFFLINE": "1"}, nobody):
            ran = python(tmp_path, hub, LOCATE.format("owner/tiny", revision), **environment)
            assert ran.stdout.strip() == str(where)
            assert f"using the cached files of commit {commit}" in ran.stderr
    assert len(hub.requests) == asked


def test_files_of_other_tools_in_the_cache_are_ignored(hub: Hub, shards: dict[str, bytes], tmp_path: Path) -> None:
    """A pickle that another tool downloaded into the same snapshot was once part of the student's hash."""
    hub.push("models/owner/tiny", shards)
    program = "from huggingface_hub import snapshot_download; snapshot_download('owner/tiny')"
    assert python(tmp_path, hub, program).returncode == 0
    assert "pytorch_model.bin" in hub.fetched()
    where = locate(tmp_path, hub, "owner/tiny", None)
    assert {path.name for path in where.iterdir()} == set(safe(shards))


def test_a_cache_that_was_deleted_is_filled_again(hub: Hub, shards: dict[str, bytes], tmp_path: Path) -> None:
    hub.push("models/owner/tiny", shards)
    where = locate(tmp_path, hub, "owner/tiny", None)
    shutil.rmtree(tmp_path / "hf")
    assert not (where / "config.json").exists()
    assert locate(tmp_path, hub, "owner/tiny", None) == where
    assert (where / "config.json").is_file()


def test_a_gated_student_needs_the_token_and_the_token_stays_secret(
    hub: Hub, shards: dict[str, bytes], tmp_path: Path
) -> None:
    hub.push("models/owner/gated", shards, token=TOKEN)
    page = f"request access at {hub.url}/owner/gated, then set HF_TOKEN"
    refused(export(tmp_path, hub, "owner/gated"), "owner/gated is gated", page)
    refused(export(tmp_path, hub, "owner/gated", HF_TOKEN="hf_another"), "owner/gated is gated", page)
    assert not (tmp_path / "out").exists()
    where = locate(tmp_path, hub, "owner/gated", None, HF_TOKEN=TOKEN)
    assert (where / "config.json").is_file()
    assert TOKEN in {request.token for request in hub.requests}
    assert_nowhere(TOKEN, tmp_path)


CASES = {
    "no such student": (["nobody/nothing"], ["nobody/nothing is not a local path", "has no model of that name"]),
    "no such revision": (["owner/tiny", "--revision", "v9"], ["owner/tiny has no revision 'v9'"]),
    "no such commit": (["owner/tiny", "--revision", "0" * 40], [f"owner/tiny has no revision '{'0' * 40}'"]),
    "no hub id": (["owner/tiny/more"], ["owner/tiny/more does not exist", "a hub id OWNER/NAME"]),
    "not an id of the hub": (["owner/ti--ny"], ["owner/ti--ny is neither a local path nor a hub id"]),
    "revision of a local student": (
        ["tiny", "--revision", "v1"],
        ["revision ('v1') applies to hub ids only, and tiny is a local model"],
    ),
    "shard that is not there": (
        ["owner/torn"],
        ["owner/torn lacks model-00002-of-", "which its model.safetensors.index.json lists"],
    ),
    "pickles only": (["owner/pickled"], ["owner/pickled has no model.safetensors", "because they can contain code"]),
    "index that names a foreign place": (["owner/sly"], ["names '../../secret.safetensors'"]),
    "index that names no file": (["owner/odd"], ["names '3', which is not a *.safetensors file next to it"]),
    "of another architecture": (["owner/bert"], ["BertForMaskedLM, which is not supported yet"]),
}


@pytest.mark.parametrize("case", CASES)
def test_every_error_is_one_sentence_and_no_weights_are_fetched(
    case: str, hub: Hub, shards: dict[str, bytes], tmp_path: Path
) -> None:
    whole = {"weight_map": {"a": "../../secret.safetensors"}}
    hub.push("models/owner/tiny", shards)
    hub.push("models/owner/torn", {k: v for k, v in shards.items() if not k.startswith("model-00002")})
    hub.push("models/owner/pickled", {k: v for k, v in shards.items() if "safetensors" not in k})
    hub.push("models/owner/sly", shards | {"model.safetensors.index.json": json.dumps(whole).encode()})
    hub.push("models/owner/odd", shards | {"model.safetensors.index.json": b'{"weight_map": {"a": 3}}'})
    hub.push("models/owner/bert", shards | {"config.json": b'{"architectures": ["BertForMaskedLM"]}'})
    arguments, parts = CASES[case]
    refused(export(tmp_path, hub, *arguments), *parts)
    assert not (tmp_path / "out").exists()
    assert not [name for name in hub.fetched() if name.endswith((".safetensors", ".bin", ".py"))]


def test_without_a_network_and_a_cached_copy(hub: Hub, tmp_path: Path) -> None:
    refused(
        export(tmp_path, hub, "owner/tiny", HF_HUB_OFFLINE="1"),
        "owner/tiny at main is not in the hub's cache, and HF_HUB_OFFLINE forbids downloading it",
    )
    refused(
        export(tmp_path, hub, "owner/tiny", HF_ENDPOINT="http://127.0.0.1:9"),
        "owner/tiny at main is not in the hub's cache",
        "http://127.0.0.1:9 cannot be reached",
    )
    assert hub.requests == []


@pytest.mark.parametrize(
    ("status", "part"),
    [
        (503, "cannot serve owner/tiny at the moment (HTTP status 503): try again later"),
        (401, "denies access to owner/tiny: set HF_TOKEN"),
        (403, "denies access to owner/tiny: set HF_TOKEN"),
    ],
)
def test_a_hub_that_is_down_or_denies_access(status: int, part: str, hub: Hub, tmp_path: Path) -> None:
    hub.status = status
    refused(export(tmp_path, hub, "owner/tiny", HF_TOKEN=TOKEN), part)


def test_an_incomplete_copy_is_not_used_offline(hub: Hub, shards: dict[str, bytes], tmp_path: Path) -> None:
    commit = hub.push("models/owner/tiny", shards)
    where = locate(tmp_path, hub, "owner/tiny", None)
    lost = next(path for path in where.iterdir() if path.name.startswith("model-00002"))
    lost.resolve().unlink()
    lost.unlink()
    refused(
        export(tmp_path, hub, "owner/tiny", HF_HUB_OFFLINE="1"),
        f"model-00002-of-{lost.name[15:20]}.safetensors of owner/tiny at {commit} is not in the hub's cache",
    )


def test_a_local_folder_with_a_missing_shard(shards: dict[str, bytes], tmp_path: Path, hub: Hub) -> None:
    folder = tmp_path / "torn"
    folder.mkdir()
    for name, data in safe(shards).items():
        if not name.startswith("model-00002"):
            (folder / name).write_bytes(data)
    refused(export(tmp_path, hub, str(folder)), "lacks model-00002-of-", "which its model.safetensors.index.json names")


def test_a_repository_with_an_adapter_and_no_model_is_fetched_as_one(hub: Hub, tmp_path: Path) -> None:
    files = {"adapter_config.json": "{}", "adapter_model.safetensors": "x", "tokenizer.json": "{}"}
    hub.push("models/owner/adapter", files | {"adapter_model.bin": "never fetched"}, revision="v1")
    where = locate(tmp_path, hub, "owner/adapter", "v1")
    assert {path.name for path in where.iterdir()} == set(files)
    assert hub.fetched() == set(files)


def test_an_adapter_is_found_in_the_cache_without_a_network(hub: Hub, tmp_path: Path) -> None:
    """A model was looked for, and its config.json was missing."""
    config = {"peft_type": "LORA", "base_model_name_or_path": "owner/base", "r": 8, "lora_alpha": 16}
    # An empty file of safetensors, but for a value.
    header = json.dumps({"x": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}}).encode()
    weights = len(header).to_bytes(8, "little") + header + bytes(32)
    hub.push("models/owner/adapter", {"adapter_config.json": json.dumps(config), "adapter_model.safetensors": weights})
    where = locate(tmp_path, hub, "owner/adapter", None)
    assert locate(tmp_path, hub, "owner/adapter", None, HF_HUB_OFFLINE="1") == where
    refused(
        export(tmp_path, hub, "owner/adapter", HF_HUB_OFFLINE="1"),
        "is an adapter, and its base cannot be used: owner/base at main is not in the hub's cache",
    )
    (where / "adapter_model.safetensors").resolve().unlink()
    (where / "adapter_model.safetensors").unlink()
    refused(
        export(tmp_path, hub, "owner/adapter", HF_HUB_OFFLINE="1"),
        "adapter_model.safetensors of owner/adapter at",
        "is not in the hub's cache",
    )


def test_an_adapter_in_a_folder_of_a_repository_is_named(hub: Hub, tmp_path: Path) -> None:
    hub.push("models/owner/named", {"math/adapter_config.json": "{}", "README.md": "One adapter."})
    refused(export(tmp_path, hub, "owner/named"), "owner/named holds an adapter in its folder math", "name DIR/math")
