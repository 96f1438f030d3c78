"""Names that lead out of where they belong never reach the hub's client, nor become part of a path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub", reason="needs: pip install 'fdd-edge[hub]'")

import huggingface_hub

from fdd_edge import hub
from fdd_edge.artifacts.recipe import load_recipe
from fdd_edge.errors import FddError
from fdd_edge.resolve.dataset import DatasetOptions, check_set, fetch_set
from fdd_edge.students.adapter_base import find_base
from fdd_edge.students.locate import locate
from fdd_edge.targets import load_profile

BAD = ["../../x", "/etc", "a/../b", "..", ".", "a//b", "a/", "a b", "a\nb", "x\x00", "\x1b[2J", "v^1", "x" * 300, ""]
OUTSIDE = ["../../x", "/etc", "a/../b", "..", "a\nb", "x\x00", "\x1b[2J", "a\\b"]


@pytest.fixture(autouse=True)
def no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    def called(*args: object, **options: object) -> None:
        raise AssertionError("the hub's client was asked")

    for name in ("snapshot_download", "hf_hub_download", "HfApi"):
        monkeypatch.setattr(huggingface_hub, name, called)


@pytest.mark.parametrize("revision", [bad for bad in BAD if bad])
def test_a_revision_that_is_none_is_refused(revision: str) -> None:
    for ask in (
        lambda: locate("owner/name", revision),
        lambda: fetch_set(DatasetOptions("owner/name", revision=revision)),
        lambda: check_set(DatasetOptions("owner/name", revision=revision)),
    ):
        with pytest.raises(
            FddError, match=r"can have no revision .*: use a branch, a tag or a full commit hash"
        ) as error:
            ask()
        assert str(error.value).isprintable()


@pytest.mark.parametrize("commit", BAD)
def test_a_commit_that_a_strangers_run_names_is_refused(commit: str) -> None:
    with pytest.raises(FddError, match="can have no revision"):
        locate("owner/name", commits={hub.reference("model", "owner/name", None): commit})


@pytest.mark.parametrize("revision", ["main", "refs/pr/1", "refs/convert/parquet", "v1.0-rc.2", "a" * 40, "fix/x_y"])
def test_revisions_of_git_are_asked_for(revision: str) -> None:
    hub.check_revision("owner/name", revision)
    with pytest.raises(AssertionError, match="was asked"):
        locate("owner/name", revision)


@pytest.mark.parametrize("key", ["split", "subset"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_subset_or_split_that_is_none_is_refused(key: str, name: str) -> None:
    with pytest.raises(FddError, match=f"owner/name can have no {key} .*: use a name that its page"):
        fetch_set(DatasetOptions("owner/name", **{key: name}))  # type: ignore[arg-type]


@pytest.mark.parametrize("id", ["a..b/c", "../x", "a/../b", "a/..", "package:../x", "package:a/b", "package:.."])
def test_an_id_that_leads_elsewhere_is_refused(id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "within").mkdir()
    monkeypatch.chdir(tmp_path / "within")  # next to this checkout, there may be an x
    with pytest.raises(FddError, match=r"does not exist|is not installed"):
        locate(id)
    with pytest.raises(FddError, match="is neither a local path nor a hub id"):
        hub.find("model", id)


def test_the_revision_of_an_adapters_base_is_checked(tmp_path: Path) -> None:
    (tmp_path / "adapter_model.safetensors").touch()
    config = {"peft_type": "LORA", "base_model_name_or_path": "owner/name", "revision": ["../x"]}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    base = find_base(tmp_path, ())
    with pytest.raises(FddError, match="can have no revision"):
        locate(base.name, base.revision)


@pytest.mark.parametrize("name", ["../../x", "..", "a/b", "/etc/x", "a\nb", "x\n", "a\x00"])
def test_the_name_in_a_recipe_or_profile_cannot_be_a_path(tmp_path: Path, name: str) -> None:
    """It becomes the name of a folder."""
    path = tmp_path / "mine.yaml"
    path.write_text(f"name: {json.dumps(name)}\ntransport: local\n")
    with pytest.raises(FddError, match="name: must match the pattern"):
        load_profile(str(path))
    path.write_text(f"name: {json.dumps(name)}\nfamily: gguf\ntype: q4_0\n")
    with pytest.raises(FddError, match="name: must match the pattern"):
        load_recipe(str(path))
