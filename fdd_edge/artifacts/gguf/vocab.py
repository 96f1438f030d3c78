"""The vocabulary as llama.cpp will read it: a GGUF file without tensors.

It travels with the student from base to merge, and every exported file takes its ``tokenizer.*`` keys from it,
so the tokenizer of an artifact is its base's own, key by key.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.artifacts.gguf.log import captured_log
from fdd_edge.artifacts.gguf.reader import field, open_gguf
from fdd_edge.errors import FddError, MissingExtraError

__all__ = ["DeviceVocab", "VocabTables", "copy_keys", "copy_vocab", "read_vocab", "write_vocab_from_folder"]

_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4

_PRE_NAMES = ("gpt-2", "smollm", "llama-bpe", "qwen2", "starcoder", "refact", "command-r", "olmo", "dbrx")
"""llama.cpp's pre-tokenizers that a byte-level BPE may use, tried in this order."""

_HARD_TEXT = (
    "It's 1234567 + 89,012.50 =  3 apples; you'll  save 50%!\n\n  Tom's   7th\tΩmega naïve 東京 १२३ — $4.99/kg…\r\n"
    "def f(x):\n    return x**2 # 100\n  _a1b2  I'M don'T  12 345\n"
)
"""Contractions, digit runs, several spaces, tabs, other scripts: where pre-tokenizers part ways."""


class VocabTables(NamedTuple):
    """The byte-level BPE vocabulary of a GGUF file (``tokenizer.ggml.*``).

    Attributes:
        tokens: One byte-level string an id.
        token_types: One type of the GGUF specification an id.
        merges: Pairs joined by a space, best first.
        pre: Name of the pre-tokenizer.
        bos: Id of the token that begins a text, or None.
        eos: Id of the token that ends a reply.
        chat_template: Jinja source, or None.
        adds_bos: Whether a prompt begins with ``bos``.
    """

    tokens: Sequence[str]
    token_types: Sequence[int]
    merges: Sequence[str]
    pre: str
    bos: int | None
    eos: int
    chat_template: str | None
    adds_bos: bool


class DeviceVocab:
    """llama.cpp's own tokenizer on the ``tokenizer.*`` keys of a file; loads no tensors."""

    def __init__(self, path: Path) -> None:
        """Open a GGUF file, with or without tensors.

        Raises:
            MissingExtraError: llama-cpp-python is not installed.
            FddError: llama.cpp cannot read the file.
        """
        try:
            import llama_cpp
        except ImportError:
            raise MissingExtraError("llama-cpp-python", "gguf") from None
        with captured_log(llama_cpp) as log:
            params = llama_cpp.llama_model_default_params()
            params.vocab_only = True
            self._llama_cpp = llama_cpp
            self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self._model:
            raise FddError(f"llama.cpp cannot read the vocabulary of {path}: {log.last_error or 'no reason given'}")
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, special tokens in it recognised, none added."""
        raw = text.encode()
        # A byte-level BPE writes at most one token a byte.
        room = len(raw) + 1
        ids = (self._llama_cpp.llama_token * room)()
        n = self._llama_cpp.llama_tokenize(self._vocab, raw, len(raw), ids, room, False, True)
        return list(ids[:n])

    def encode_prompt(self, text: str) -> list[int]:
        """Return the ids of a prompt: with the token that begins a text, by the rule of ``ondevice.llamacpp``."""
        c_api = self._llama_cpp
        bos = c_api.llama_vocab_bos(self._vocab)
        if not c_api.llama_vocab_get_add_bos(self._vocab):
            return self.encode(text)
        begun = text.startswith(c_api.llama_vocab_get_text(self._vocab, bos).decode())
        return self.encode(text) if begun else [bos, *self.encode(text)]

    @property
    def eos(self) -> int:
        """Id of the token that ends a reply."""
        return int(self._llama_cpp.llama_vocab_eos(self._vocab))

    @property
    def stops(self) -> tuple[int, ...]:
        """Every id that ends a reply, sorted."""
        c_api = self._llama_cpp
        return tuple(
            i for i in range(c_api.llama_vocab_n_tokens(self._vocab)) if c_api.llama_vocab_is_eog(self._vocab, i)
        )

    def close(self) -> None:
        """Free the model."""
        self._llama_cpp.llama_model_free(self._model)


def copy_keys(reader: Any, writer: Any, prefix: str) -> None:
    """Copy the metadata keys that start with ``prefix`` into another file, value types included."""
    import gguf

    for name, found in reader.fields.items():
        if not name.startswith(prefix):
            continue
        kind = found.types[0]
        sub_type = found.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, found.contents(), kind, sub_type=sub_type)


def copy_vocab(source: Path, out: Path) -> None:
    """Write the vocabulary of a GGUF file as a file of its own."""
    import gguf

    reader = open_gguf(source)
    writer = gguf.GGUFWriter(out, field(reader, "general.architecture"))
    copy_keys(reader, writer, "tokenizer.")
    _finish(writer)


def read_vocab(path: Path) -> VocabTables:
    """Read the tables of a byte-level BPE vocabulary.

    Raises:
        FddError: The file holds another kind of tokenizer.
    """
    reader = open_gguf(path)
    kind = field(reader, "tokenizer.ggml.model")
    if kind != "gpt2":
        raise FddError(f"{path} has a tokenizer of kind {kind!r}, which is not supported yet. Supported: 'gpt2'.")
    if field(reader, "tokenizer.ggml.eos_token_id") is None:
        raise FddError(f"{path} names no token that ends a reply, so a student could not learn to stop.")
    return VocabTables(
        tokens=field(reader, "tokenizer.ggml.tokens"),
        token_types=field(reader, "tokenizer.ggml.token_type"),
        merges=field(reader, "tokenizer.ggml.merges"),
        pre=field(reader, "tokenizer.ggml.pre", "gpt-2"),
        bos=field(reader, "tokenizer.ggml.bos_token_id"),
        eos=field(reader, "tokenizer.ggml.eos_token_id"),
        chat_template=field(reader, "tokenizer.chat_template"),
        adds_bos=bool(field(reader, "tokenizer.ggml.add_bos_token", False)),
    )


def write_vocab_from_folder(folder: Path, tokenizer: Any, out: Path, *, architecture: str) -> None:
    """Write the vocabulary of a Hugging Face folder as llama.cpp reads it.

    The name of the pre-tokenizer is found by comparing ids on a hard text, never guessed.

    Args:
        folder: Holds ``tokenizer.json`` and ``config.json``.
        tokenizer: The fast tokenizer loaded from it.
        out: The GGUF file to write.
        architecture: GGUF architecture of the student.

    Raises:
        FddError: It is no byte-level BPE, or no known pre-tokenizer gives its ids.
    """
    spec = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    if spec["model"].get("type") != "BPE" or "ByteLevel" not in json.dumps(spec.get("decoder")):
        raise FddError(f"The tokenizer of {folder} is no byte-level BPE; other kinds are not supported yet.")
    size = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    wanted = tokenizer(_HARD_TEXT, add_special_tokens=False)["input_ids"]
    for pre in _PRE_NAMES:
        _write_tables(spec, tokenizer, out, architecture, size, pre)
        vocab = DeviceVocab(out)
        same = vocab.encode(_HARD_TEXT) == wanted
        vocab.close()
        if same:
            return
    out.unlink()
    raise FddError(
        f"No pre-tokenizer of llama.cpp gives the ids of the tokenizer of {folder}. Tried: {', '.join(_PRE_NAMES)}."
    )


def _write_tables(spec: Any, tokenizer: Any, out: Path, architecture: str, size: int, pre: str) -> None:
    """Write one vocabulary file with the given pre-tokenizer name."""
    import gguf

    added = {token["id"]: token for token in spec.get("added_tokens", [])}
    by_id = {i: t for t, i in spec["model"]["vocab"].items()} | {i: t["content"] for i, t in added.items()}
    # Models are often padded past their tokenizer; llama.cpp wants a name for every row of the embedding.
    tokens = [by_id.get(i, f"[PAD{i}]") for i in range(max(size, len(by_id)))]
    types = [_token_type(added.get(i), i in by_id) for i in range(len(tokens))]
    merges: Sequence[Any] = spec["model"]["merges"]
    writer = gguf.GGUFWriter(out, architecture)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    if tokenizer.pad_token_id is not None:
        writer.add_pad_token_id(tokenizer.pad_token_id)
    # What the tokenizer itself puts before a text decides; configuration flags often say otherwise.
    writer.add_add_bos_token(tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id])
    writer.add_add_space_prefix(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)
    _finish(writer)


def _token_type(added: Any, known: bool) -> int:
    if added is not None:
        return _CONTROL if added.get("special") else _USER_DEFINED
    return _NORMAL if known else _USER_DEFINED


def _finish(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
