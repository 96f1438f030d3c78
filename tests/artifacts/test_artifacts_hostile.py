"""GGUF files and folders whose headers and configs lie: one sentence, before anything is allocated or built."""

from __future__ import annotations

import json
import os
import shutil
import struct
import tracemalloc
from pathlib import Path

import pytest

pytest.importorskip("gguf", reason="needs: pip install 'fdd-edge[gguf]'")

from conftest import write_tiny_gguf

from fdd_edge.artifacts.gguf import reader, write_float_gguf, write_folder_from_gguf
from fdd_edge.artifacts.gguf.gguf_facts import describe_gguf
from fdd_edge.artifacts.gguf.reader import field, open_gguf
from fdd_edge.artifacts.gguf.vocab_tables import read_vocab
from fdd_edge.errors import FddError
from fdd_edge.resolve.student import Student, open_student

STRING, ARRAY, UINT8, UINT32, FLOAT32 = 8, 9, 0, 4, 6


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def header(values: bytes, *, tensors: int = 0, keys: int = 1) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + values


def key(kind: int, value: bytes) -> bytes:
    return text(b"some.key") + struct.pack("<I", kind) + value


def array(kind: int, count: int, values: bytes = b"") -> bytes:
    return key(ARRAY, struct.pack("<IQ", kind, count) + values)


HUGE = 1 << 60
DAMAGED = "is a damaged or truncated GGUF file."


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (header(b"", keys=HUGE), f"says that it holds {HUGE:,} keys; no model has more than 10,000."),
        (header(b"", keys=0, tensors=HUGE), f"says that it holds {HUGE:,} tensors; no model has more than 100,000."),
        (header(struct.pack("<Q", HUGE)), DAMAGED),
        (header(key(STRING, struct.pack("<Q", HUGE))), DAMAGED),
        (header(array(UINT8, HUGE)), DAMAGED),
        (header(array(FLOAT32, 1 << 62)), DAMAGED),
        (header(array(STRING, HUGE)), f"says that it holds {HUGE:,} texts; no model has more than 4,000,000."),
        (header(array(STRING, 5_000_000, bytes(1000))), "says that it holds 5,000,000 texts; no model has more than"),
        (header(array(ARRAY, 1, struct.pack("<IQ", ARRAY, 1) * 9999)), "holds lists of lists, which"),
        (header(array(UINT8, 1, b"x") * 2, keys=2), DAMAGED),
        (header(text(b"t\xff") + struct.pack("<IQIQ", 1, 4, 0, 0), keys=0, tensors=1), DAMAGED),
        (header(text(b"t") + struct.pack("<IQQIQ", 2, HUGE, HUGE, 0, 0), keys=0, tensors=1), DAMAGED),
        (header(text(b"tt") + struct.pack("<IQIQ", 1, 4, 99, 0), keys=0, tensors=1), "holds the tensor tt of type 99,"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "is big-endian, which llama.cpp does not read here; convert it with"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "is of GGUF version 1, and only versions 2 and 3 can be read; export"),
        (b"GGUF" + struct.pack("<IQQ", 4, 0, 0), "is of GGUF version 4, and only versions 2 and 3 can be read; update"),
        (header(text(b"t") + struct.pack("<I", 1 << 31), keys=0, tensors=1), DAMAGED),
    ],
)  # fmt: skip
def test_headers_that_lie(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content + bytes(64))
    tracemalloc.start()
    with pytest.raises(FddError) as caught:
        open_gguf(path)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    assert str(caught.value).startswith(f"{path} {fault}")
    assert "\n" not in str(caught.value)


def test_a_list_of_numbers_takes_the_room_of_its_numbers(tmp_path: Path) -> None:
    """An array was made for each of them: 20 GB for a file of 60 MB."""
    n, path = 4_000_000, tmp_path / "model.gguf"
    path.write_bytes(header(array(UINT8, n, bytes(range(250)) * (n // 250))) + bytes(64))
    tracemalloc.start()
    opened = open_gguf(path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert field(opened, "some.key")[:3] == [0, 1, 2]
    assert len(field(opened, "some.key")) == n


def test_a_text_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(header(key(STRING, text(b"\xff\xfe"))) + bytes(64))
    with pytest.raises(FddError, match=r"^model\.gguf: the value of some\.key is not UTF-8 text\.$"):
        field(open_gguf(path), "some.key")


def test_the_limits_leave_room_for_the_largest_vocabulary() -> None:
    assert reader._MOST_TEXTS > 3 * (262_144 + 514_906)  # Gemma 3


def test_a_file_whose_name_is_no_text(tiny_student: Student, tmp_path: Path) -> None:
    """Its name is a key of what is made from it, and GGUF and JSON hold only text."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xff.gguf"))
    write_float_gguf(tiny_student.folder, tiny_student.vocab, path, metadata={})
    assert open_student(str(path), families=["gguf"]).name == "m?"
    with pytest.raises(FddError, match="damaged or truncated"):
        path.write_bytes(b"GGUF")
        open_student(str(path), families=["gguf"])


def with_key(path: Path, out: Path, name: str, kind: str, value: object) -> Path:
    """Copy a GGUF with another value of a key."""
    import gguf

    opened = open_gguf(path)
    writer = gguf.GGUFWriter(out, "llama")
    for found in opened.fields.values():
        if not found.name.startswith("GGUF.") and found.name not in ("general.architecture", name):
            inner = found.types[-1] if found.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(found.name, found.contents(), found.types[0], sub_type=inner)
    writer.add_key_value(
        name, value, gguf.GGUFValueType[kind], sub_type=gguf.GGUFValueType.STRING if kind == "ARRAY" else None
    )
    for tensor in opened.tensors:
        writer.add_tensor(tensor.name, tensor.data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


@pytest.mark.parametrize(
    ("name", "kind", "value", "fault"),
    [
        ("context_length", "UINT64", HUGE, f"{HUGE}; it must be a whole number from 1 to 2,147,483,647."),
        ("context_length", "STRING", "long", "'long'; it must be a whole number from 1 to"),
        ("embedding_length", "UINT64", 1 << 40, f"{1 << 40}; it must be a whole number from 1 to"),
        ("embedding_length", "UINT32", 1 << 30, "; it must be a whole number|and its keys say"),
        ("attention.head_count", "UINT32", 0, "0; it must be a whole number from 1 to"),
        ("attention.head_count_kv", "UINT32", 0, "0; it must be a whole number from 1 to"),
        ("rope.freq_base", "FLOAT32", float("nan"), "nan; it must be a positive number."),
        ("rope.freq_base", "FLOAT32", float("inf"), "inf; it must be a positive number."),
        ("attention.layer_norm_rms_epsilon", "FLOAT32", -1.0, "-1.0; it must be a positive number."),
        ("block_count", "UINT32", 100_000, "100,000, but tensors of 2 layers."),
        ("block_count", "UINT32", 1, "1, but tensors of 2 layers."),
    ],
)
def test_absurd_sizes(tmp_path: Path, name: str, kind: str, value: object, fault: str) -> None:
    path = with_key(write_tiny_gguf(tmp_path / "a.gguf"), tmp_path / "b.gguf", f"llama.{name}", kind, value)
    with pytest.raises(FddError, match=fault) as caught:
        write_folder_from_gguf(path, tmp_path)
    assert str(caught.value).startswith(str(path))
    assert not (tmp_path / "config.json").exists()


@pytest.mark.parametrize(
    ("name", "kind", "value", "fault"),
    [
        ("eos_token_id", "UINT32", 4_000_000_000, "its EOS token is 4000000000, and it has 271 tokens"),
        ("bos_token_id", "STRING", "<s>", "its BOS token is '<s>'"),
        ("merges", "ARRAY", ["ab"], "the merge 'ab' is not a pair"),
        ("merges", "ARRAY", ["a zzz"], "the merge 'a zzz' is of 'azzz', which is not a token"),
        ("tokens", "ARRAY", ["a"], "its tokens and their types differ in number"),
        ("tokens", "ARRAY", ["a", "b", "a"], "the token 'a' occurs twice"),
        ("tokens", "UINT32", 1, "its tokens are not a list of texts"),
        ("pre", "UINT32", 1, "a number stands where a text belongs"),
    ],
)
def test_absurd_vocabularies(tmp_path: Path, name: str, kind: str, value: object, fault: str) -> None:
    path = with_key(write_tiny_gguf(tmp_path / "a.gguf"), tmp_path / "b.gguf", f"tokenizer.ggml.{name}", kind, value)
    with pytest.raises(FddError, match=f"has a damaged vocabulary: {fault}"):
        read_vocab(path)


@pytest.mark.parametrize(
    ("name", "kind", "value", "fault"),
    [
        ("token_type", "STRING", "none", "its tokens and their types differ in number"),
        ("eos_token_id", "UINT32", 9999, "its EOS token is 9999"),
        ("model", "STRING", "bert", "a tokenizer of kind 'bert'. Only 'gpt2' can be trained from a GGUF yet; use"),
        ("merges", "ARRAY", ["a zzz"], "is of 'azzz', which is not a token"),
    ],
)
def test_a_vocabulary_that_cannot_be_used_is_told_of_the_users_file(
    tmp_path: Path, name: str, kind: str, value: object, fault: str
) -> None:
    """The sentence named a file in the cache that no longer existed."""
    path = with_key(write_tiny_gguf(tmp_path / "a.gguf"), tmp_path / "b.gguf", f"tokenizer.ggml.{name}", kind, value)
    with pytest.raises(FddError) as caught:
        open_student(str(path))
    assert str(caught.value).startswith(str(path))
    assert fault in str(caught.value)
    assert "vocab.gguf" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"num_hidden_layers": 100_000}, "holds the tensors of 2 layers, and its config.json says 100000."),
        ({"num_hidden_layers": HUGE}, "num_hidden_layers must be a whole number from 1 to 2,147,483,647, not"),
        ({"hidden_size": 1 << 40}, "hidden_size must be a whole number from 1 to"),
        ({"num_attention_heads": 0}, "num_attention_heads must be a whole number from 1 to"),
        ({"vocab_size": "many"}, "vocab_size must be a whole number from 1 to 2,147,483,647, not 'many'"),
        ({"rope_theta": float("nan")}, "rope_theta must be a positive number, not nan"),
        ({"hidden_size": 1 << 30}, "and its config.json says"),
        ({"architectures": 5}, "architectures must be a list, not 5"),
    ],
)
def test_absurd_configs(tiny_student: Student, tmp_path: Path, change: dict[str, object], fault: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_student.folder, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").unlink()
    (folder / "config.json").write_text(json.dumps(config | change), encoding="utf-8")
    with pytest.raises(FddError, match=fault):
        open_student(str(folder), families=["gguf"])


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "fdd_edge.json"])
@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "5", '{"a": ' * 100_000])
def test_json_of_a_folder_that_is_none(tiny_student: Student, tmp_path: Path, name: str, content: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_student.folder, folder)
    (folder / name).unlink(missing_ok=True)
    (folder / name).write_text(content, encoding="utf-8")
    try:
        open_student(str(folder), families=["gguf"])
    except FddError as error:
        assert "\n" not in str(error)


def test_weights_whose_header_claims_gigabytes(tiny_student: Student, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_student.folder, folder)
    (folder / "model.safetensors").unlink()
    for start in (struct.pack("<Q", 8 << 30), struct.pack("<Q", HUGE), struct.pack("<Q", 90 << 20)):
        (folder / "model.safetensors").write_bytes(start + b"{" * 1000)
        with pytest.raises(FddError, match=r"model\.safetensors is damaged or truncated"):
            open_student(str(folder), families=["gguf"])
    nested = b'{"a":' * 100_000
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(nested)) + nested)
    with pytest.raises(FddError, match=r"model\.safetensors is damaged or truncated"):
        open_student(str(folder), families=["gguf"])


def named(name: bytes, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (
            [named(b"split.count", STRING, text(b"x"))],
            "the value of split.count must be a whole number, not 'x'; the file is damaged.",
        ),
        (
            [named(b"fdd_edge.round", ARRAY, struct.pack("<IQB", UINT8, 1, 7))],
            "the value of fdd_edge.round must be a whole number, not '[7]'; the file is damaged.",
        ),
        (
            [named(b"fdd_edge.prompt_template", UINT32, struct.pack("<I", 5))],
            "the value of fdd_edge.prompt_template must be a text, not '5'; the file is damaged.",
        ),
        (
            [
                named(b"general.architecture", STRING, text(b"llama")),
                named(b"llama.block_count", UINT32, struct.pack("<I", 2**32 - 1)),
            ],
            "has llama.block_count 4,294,967,295, but only 0 tensors.",
        ),
    ],
)
def test_keys_of_another_type_than_they_should_be(tmp_path: Path, values: list[bytes], fault: str) -> None:
    """A text for a number of pieces was a traceback, and four billion layers were an abort of llama.cpp."""
    path = tmp_path / "model.gguf"
    path.write_bytes(header(b"".join(values), keys=len(values)) + bytes(64))
    with pytest.raises(FddError) as caught:
        describe_gguf(path)
    assert str(caught.value).removeprefix(str(path)).lstrip(": ") == fault


def test_a_license_that_is_a_list_is_only_shown(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    licenses = struct.pack("<IQ", STRING, 2) + text(b"mit") + text(b"apache-2.0")
    path.write_bytes(header(named(b"general.license", ARRAY, licenses)) + bytes(64))
    assert describe_gguf(path).license == "mit, apache-2.0"
