"""Added tokens and merges: a GGUF file gives the ids of the student's own tokenizer, or is refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")
pytest.importorskip("tokenizers", reason="needs: pip install 'fdd-edge[onnx]'")
pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")

import numpy as np
from safetensors.numpy import load_file, save_file

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.gguf import DeviceVocab, pre_tokenizer
from fdd_edge.artifacts.gguf.reader import field, open_gguf
from fdd_edge.artifacts.recipe import load_recipe
from fdd_edge.errors import FddError
from fdd_edge.ondevice import llamacpp
from fdd_edge.ondevice.normalizer import WHOLE_TOKENS_KEY, WholeToken, dump_tokens, normalize_text, parse_tokens
from fdd_edge.ondevice.protocol import RunnerError
from fdd_edge.ondevice.vocabulary import Vocabulary
from fdd_edge.operations.export import export_from_student
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.students.tokenizer import load_tokenizer

END, NEW = "<|end|>", "<|new|>"
TEXTS = tuple(
    text.replace("@", END)
    for text in (
        "@",
        "a @ b",
        "a  @@  b",
        "a\n @ \t\nb @",
        "a\u3000@\u00a0b",
        "a\x1c@\x1fb",
        " @",
        "@ ",
        ">@\u0338 =\u0338",
    )
)

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def edited(tiny_student: Student, tmp_path: Path) -> Callable[..., Path]:
    """Makes a copy of the tiny student with other JSON files."""

    def make(rows: int = 0, /, **edits: Edit) -> Path:
        folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
        (folder / "vocab.gguf").unlink(missing_ok=True)
        for name, edit in edits.items():
            path = folder / f"{name}.json"
            content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            edit(content)
            path.write_text(json.dumps(content), encoding="utf-8")
        if rows:
            weights = load_file(folder / "model.safetensors")
            more = np.full((rows, weights["model.embed_tokens.weight"].shape[1]), 0.01, np.float32)
            weights["model.embed_tokens.weight"] = np.concatenate([weights["model.embed_tokens.weight"], more])
            save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            config["vocab_size"] += rows
            (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return folder

    return make


def flags(**changed: bool) -> Edit:
    """Return what changes the flags of the end token."""

    def edit(spec: dict[str, Any]) -> None:
        for token in spec["added_tokens"] if "added_tokens" in spec else spec["added_tokens_decoder"].values():
            if token["content"] == END:
                token.update(changed)

    return edit


def ids_of(folder: Path, text: str) -> list[int]:
    """Return the ids of the student's own tokenizer, as transformers reads the folder."""
    ids: list[int] = load_tokenizer(folder)(text, add_special_tokens=False)["input_ids"]
    return ids


def float_file(student: Student, out: Path, name: str = "x") -> Path:
    labels = ArtifactLabels(name, "{question}")
    export_from_student(out, merged=None, student=student, labels=labels, recipe=load_recipe("gguf-f32"))
    return out / "model.gguf"


@pytest.mark.parametrize("nfc", [False, True])
@pytest.mark.parametrize("changed", [{"rstrip": True}, {"lstrip": True}, {"lstrip": True, "rstrip": True}, {}])
def test_spaces_around_a_token_are_dropped_as_its_flags_say(
    changed: dict[str, bool], nfc: bool, edited: Callable[..., Path]
) -> None:
    """llama.cpp knows no such flags, and the certificate passed; NFC reached across the border of a token."""

    def edit(spec: dict[str, Any]) -> None:
        flags(**changed)(spec)
        if nfc:
            spec["normalizer"] = {"type": "NFC"}

    folder = edited(tokenizer=edit, tokenizer_config=flags(**changed))
    dropped = {(f"a {END}", f"a{END}")} if changed.get("lstrip") else set()
    dropped |= {(f"{END} b", f"{END}b")} if changed.get("rstrip") else set()
    assert all(ids_of(folder, one) == ids_of(folder, other) for one, other in dropped)
    with DeviceVocab(open_student(str(folder)).vocab) as device:
        for text in TEXTS:
            assert device.encode(text) == ids_of(folder, text), text


def test_the_runner_and_a_student_made_from_the_file_drop_them_too(
    edited: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = edited(tokenizer=flags(rstrip=True), tokenizer_config=flags(rstrip=True))
    path = float_file(open_student(str(folder)), tmp_path / "f32")
    assert f"drops spaces after {END!r}. fdd-edge does so for this file too; llama.cpp" in capsys.readouterr().err
    again = open_student(str(path))
    with llamacpp.Model(str(path)) as model:
        for text in TEXTS:
            assert model.tokenize(text) == ids_of(folder, text) == ids_of(again.folder, text), text


@pytest.mark.parametrize(
    ("changed", "normalizer", "named"),
    [
        ({"single_word": True}, None, r"has the token '<\|end\|>' with single_word: llama\.cpp would find it within"),
        (
            {"normalized": True, "rstrip": True},
            {"type": "NFC"},
            r"'<\|end\|>' with both normalized and lstrip or",
        ),
    ],
)
def test_flags_that_no_file_can_keep_are_refused(
    changed: dict[str, bool], normalizer: dict[str, str] | None, named: str, edited: Callable[..., Path]
) -> None:
    def edit(spec: dict[str, Any]) -> None:
        flags(**changed)(spec)
        spec["normalizer"] = normalizer

    with pytest.raises(FddError, match=named) as caught:
        open_student(str(edited(tokenizer=edit, tokenizer_config=flags(**changed))))
    assert "export it as ONNX" in str(caught.value)


def test_a_list_of_tokens_that_is_damaged_is_told_in_a_sentence() -> None:
    tokens = (WholeToken("a", rstrip=True), WholeToken("ab"))
    assert parse_tokens(dump_tokens(tokens)) == tokens
    assert normalize_text("ab  c a  c", None, tokens) == "ab  c ac"  # the longest token counts
    for stored in ("", "{}", "[1]", '[["a", 1, 2]]', '[["", true, true]]', "[" * 9999):
        with pytest.raises(RunnerError, match=rf"list of special tokens \({WHOLE_TOKENS_KEY}\) is damaged"):
            parse_tokens(stored)


def only_looked_up(spec: dict[str, Any]) -> None:
    """Put a word into the vocabulary that no merges make."""
    vocab, merges = spec["model"]["vocab"], spec["model"]["merges"]
    old = max(vocab, key=vocab.get)
    spec["model"]["merges"] = [m for m in merges if old not in (pair := m if isinstance(m, list) else m.split(" ")) and "".join(pair) != old]  # fmt: skip # noqa: E501
    vocab["\u0120zebra"] = vocab.pop(old)


@pytest.mark.parametrize("ignore_merges", [True, False])
def test_a_word_is_looked_up_if_the_tokenizer_does_so(ignore_merges: bool, edited: Callable[..., Path]) -> None:
    """llama.cpp decides that by the name of the pre-tokenizer, and the hard text did not tell them apart."""

    def edit(spec: dict[str, Any]) -> None:
        only_looked_up(spec)
        spec["model"]["ignore_merges"] = ignore_merges
        spec["pre_tokenizer"] = {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        }

    folder = edited(tokenizer=edit)
    ids = ids_of(folder, "a zebra has")
    assert (len(ids_of(folder, " zebra")) == 1) == ignore_merges
    with DeviceVocab(open_student(str(folder)).vocab) as device:
        assert device.encode("a zebra has") == ids


def test_a_lookup_that_no_fitting_pre_tokenizer_does_is_refused(
    edited: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit(spec: dict[str, Any]) -> None:
        only_looked_up(spec)
        spec["model"]["ignore_merges"] = True

    monkeypatch.setattr(pre_tokenizer, "PRE_TOKENIZERS", ("gpt-2", "smollm"))
    with pytest.raises(FddError, match=r"looks a word up \(ignore_merges in .*\).* ' zebra' as other tokens"):
        open_student(str(edited(tokenizer=edit)))


NEW_TOKEN: Mapping[str, object] = {
    "content": NEW, "lstrip": False, "rstrip": True, "normalized": False, "single_word": False, "special": True
}  # fmt: skip


@pytest.mark.parametrize(
    ("config", "added"),
    [
        ({"additional_special_tokens": [NEW]}, {}),
        ({"additional_special_tokens": [{"__type": "AddedToken", **NEW_TOKEN}]}, {}),
        ({"added_tokens_decoder": {"640": NEW_TOKEN}}, {}),
        ({"added_tokens_decoder": None}, {NEW: 640}),
    ],
)
def test_tokens_that_tokenizer_json_lacks_reach_every_device(
    config: dict[str, Any], added: dict[str, int], edited: Callable[..., Path]
) -> None:
    """transformers adds them when it reads a folder; a device took their names for text."""

    def edit(found: dict[str, Any]) -> None:
        for key, value in config.items():
            found[key] = {**found[key], **value} if isinstance(value, dict) else value
            if value is None:
                del found[key]

    folder = edited(64, tokenizer_config=edit, added_tokens=lambda found: found.update(added))
    texts = [f"a {NEW} b", NEW, f"{NEW}{END}"]
    wanted = [ids_of(folder, text) for text in texts]
    assert all(640 in ids for ids in wanted)
    student = open_student(str(folder), families=("gguf", "onnx"))
    with DeviceVocab(student.vocab) as device:
        assert [device.encode(text) for text in texts] == wanted
    assert [Vocabulary(student.folder).encode(text) for text in texts] == wanted
    assert NEW not in (folder / "tokenizer.json").read_text(encoding="utf-8"), "the user's file was written"


def test_split_special_tokens_is_refused(edited: Callable[..., Path]) -> None:
    """Every device recognises special tokens in a text, and the certificate passed."""
    folder = edited(tokenizer_config=lambda config: config.update(split_special_tokens=True))
    with pytest.raises(FddError, match=r"tokenizer_config\.json sets split_special_tokens.* Set it to false\."):
        open_student(str(folder))


def test_the_name_of_a_file_does_not_change_its_tokens(tiny_student: Student, tmp_path: Path) -> None:
    """llama.cpp could not load a file whose name contains phi-3: it looks for that model's special tokens."""
    path = float_file(tiny_student, tmp_path / "f32", name="my-Phi-3-mini")
    assert field(open_gguf(path), "general.name") == "my-Phi_3-mini"
    with llamacpp.Model(str(path)) as model:
        assert model.tokenize(f"a{END} b") == ids_of(tiny_student.folder, f"a{END} b")
