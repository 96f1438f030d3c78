"""Converts a Hugging Face tokenizer to llama.cpp's form, and verifies it by comparing ids on a hard text.

Two kinds are supported: byte-level BPE with a pre-tokenizer (GPT-2's line: SmolLM, Llama 3, Qwen), and SentencePiece's
BPE with byte fallback in the form that transformers converts it to (Gemma).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdd_edge.artifacts.gguf.llama_vocab import DeviceVocab
from fdd_edge.artifacts.gguf.vocab_normalizer import check_no_prefix_space, normalizer_of
from fdd_edge.artifacts.gguf.vocab_tables import finish
from fdd_edge.artifacts.vocab_protocol import FolderTokenizer
from fdd_edge.errors import FddError
from fdd_edge.ondevice.bounded import BoundedError, bounded_map
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.normalizer import NORMALIZER_KEY

if TYPE_CHECKING:
    from gguf import GGUFWriter

__all__ = ["HARD_TEXT", "PRE_TOKENIZERS", "write_vocab_from_folder"]

_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = range(1, 7)
"""Token types of the GGUF specification."""

Spec = Mapping[str, Any]
"""A parsed ``tokenizer.json``."""

AddedToken = Mapping[str, Any]
"""One of its ``added_tokens``."""

_SPACE = "▁"
_BYTES = frozenset(f"<0x{byte:02X}>" for byte in range(256))

# fmt: off
PRE_TOKENIZERS = (
    "gpt-2", "smollm", "qwen2", "llama-bpe", "starcoder", "refact", "command-r", "olmo", "dbrx", "smaug-bpe",
    "gpt-4o", "tekken", "deepseek-llm", "deepseek-coder", "deepseek-v3", "falcon", "mpt", "stablelm2", "qwen35",
    "poro-chat", "chatglm-bpe", "glm4", "viking", "jais", "jais-2", "codeshell", "bloom", "gpt3-finnish", "exaone",
    "exaone-moe", "chameleon", "minerva-7b", "superbpe", "trillion", "granite-docling", "bailingmoe", "seed-coder",
    "hunyuan", "hunyuan-dense", "kimi-k2", "grok-2", "afmoe", "minimax-m2", "solar-open", "mellum2", "youtu",
    "tiny_aya", "minicpm5", "laguna", "ufakzeka", "spark2_5", "default",
)
# fmt: on
"""llama.cpp's pre-tokenizers that a byte-level BPE may use, in the order they are tried; one name per behaviour.

If a vocabulary cannot distinguish two of them, the first one is as good: Qwen's has no token of two digits, so
Llama 3's splitting into groups of three gives the same ids.
"""

HARD_TEXT = (
    "It's 1234567 + 89,012.50 =  3 apples; you'll  save 50%!\n\n  Tom's   7th\tΩmega naïve 東京 १२३ — $4.99/kg…\r\n"
    "def f(x):\n    return x**2 # 100\n  _a1b2  I'M don'T  12 345\n"
)
"""Contractions, digit runs, repeated spaces, tabs, other scripts: where pre-tokenizers differ."""


def write_vocab_from_folder(folder: Path, tokenizer: FolderTokenizer, out: Path, *, architecture: str) -> None:
    """Write the vocabulary of a Hugging Face folder in llama.cpp's form.

    The name of the pre-tokenizer is found by comparing ids on a hard text, never guessed.

    Args:
        folder: Holds ``tokenizer.json`` and ``config.json``.
        tokenizer: The fast tokenizer loaded from it.
        out: The GGUF file to write.
        architecture: GGUF architecture of the student.

    Raises:
        FddError: The tokenizer is of another kind, changes texts before it splits them, or llama.cpp does not give the
            same ids.
    """
    spec = parse_json((folder / "tokenizer.json").read_text(encoding="utf-8"))
    size = parse_json((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    model, decoder = spec["model"], json.dumps(spec.get("decoder"))
    wanted = _encode(tokenizer, HARD_TEXT, special=False)
    if model.get("type") == "BPE" and "ByteLevel" in decoder:
        check_no_prefix_space(spec, folder)
        normalizer = normalizer_of(spec, folder, marks_spaces=False)
        write = partial(_write_byte_level, spec, tokenizer, out, architecture, size, normalizer=normalizer)
        write(pre=PRE_TOKENIZERS[0])
        pre = _find_pre(out, wanted)
        if pre is None:
            out.unlink()
            raise FddError(
                f"No pre-tokenizer of llama.cpp gives the same ids as the tokenizer of {folder}. "
                f"Tried: {', '.join(PRE_TOKENIZERS)}."
            )
        if pre != PRE_TOKENIZERS[0]:
            write(pre=pre)
    elif model.get("type") == "BPE" and model.get("byte_fallback") and "ByteFallback" in decoder:
        check_no_prefix_space(spec, folder)
        normalizer = normalizer_of(spec, folder, marks_spaces=True)
        _write_sentencepiece(spec, tokenizer, out, architecture, size, normalizer=normalizer)
        with DeviceVocab(out) as device:
            same = device.encode(HARD_TEXT) == wanted
        if not same:
            out.unlink()
            raise FddError(f"llama.cpp's SentencePiece does not give the same ids as the tokenizer of {folder}.")
    else:
        raise FddError(
            f"The tokenizer of {folder} is neither byte-level BPE nor BPE with byte fallback; "
            "other kinds are not supported yet."
        )


def _encode(tokenizer: FolderTokenizer, text: str, *, special: bool) -> list[int]:
    """Return a tokenizer's ids of a text; its patterns may be a stranger's."""

    def encode(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=special)["input_ids"])

    try:
        (ids,) = bounded_map(encode, [text])
    except BoundedError as error:
        what = f"{'' if error.over_limit else 'fails: '}{error}"
        raise FddError(f"The tokenizer of {tokenizer.name_or_path} cannot be used: for {text!r} it {what}.") from None
    return list(ids)


def _find_pre(vocab: Path, wanted: Sequence[int]) -> str | None:
    """Return the first pre-tokenizer that gives the wanted ids on the hard text, or None.

    Raises:
        FddError: llama.cpp cannot read the vocabulary under any of the names.
    """
    fault: FddError | None = None
    readable = False
    for pre in PRE_TOKENIZERS:
        try:
            device = DeviceVocab(vocab, pre=pre)
        except FddError as error:
            fault = error  # an older llama.cpp does not know every name
            continue
        readable = True
        with device:
            if device.encode(HARD_TEXT) == wanted:
                return pre
    if fault is not None and not readable:
        raise fault
    return None


def _write_byte_level(
    spec: Spec,
    tokenizer: FolderTokenizer,
    out: Path,
    architecture: str,
    size: int,
    *,
    pre: str,
    normalizer: str | None,
) -> None:
    """Write one byte-level vocabulary with the given pre-tokenizer name."""
    tokens, added = _tokens(spec, size)
    types = [_type(token, added.get(i)) for i, token in enumerate(tokens)]
    with _writer(out, architecture, tokenizer, ("gpt2", pre), tokens, types) as writer:
        writer.add_token_merges([" ".join(pair) for pair in _merges(spec)])
        _add_normalizer(writer, normalizer)


def _add_normalizer(writer: GGUFWriter, normalizer: str | None) -> None:
    if normalizer is not None:
        writer.add_string(NORMALIZER_KEY, normalizer)


def _write_sentencepiece(
    spec: Spec, tokenizer: FolderTokenizer, out: Path, architecture: str, size: int, *, normalizer: str | None
) -> None:
    """Write a vocabulary whose merges are converted to scores: the earlier a token can be merged, the higher."""
    tokens, added = _tokens(spec, size)
    rank: dict[str | None, int] = {}
    for i, pair in enumerate(_merges(spec)):
        rank.setdefault("".join(pair), i)
    scores = [-float(rank.get(token, len(rank))) for token in tokens]
    types = [_type(token, added.get(i)) for i, token in enumerate(tokens)]
    unknown = spec["model"].get("unk_token")
    for i, token in enumerate(tokens):
        if token is not None and types[i] == _USER_DEFINED and _SPACE in token:
            # The tokenizer searches added tokens before it marks spaces, unless they are declared as normalized. So it
            # never finds one that contains the mark; only merges produce it. llama.cpp expects the space itself.
            found = added[i].get("normalized", False)
            types[i], tokens[i] = (_USER_DEFINED, token.replace(_SPACE, " ")) if found else (_NORMAL, token)
        elif token is not None and token == unknown:
            types[i] = _UNKNOWN
        elif token in _BYTES:
            types[i] = _BYTE
    with _writer(out, architecture, tokenizer, ("llama", "default"), tokens, types) as writer:
        writer.add_token_scores(scores)
        _add_normalizer(writer, normalizer)
        if unknown is not None:
            writer.add_unk_token_id(tokens.index(unknown))


def _tokens(spec: Spec, size: int) -> tuple[list[str | None], dict[int, AddedToken]]:
    """Return one token per id, None if there is none, and the added tokens by id."""
    added = {token["id"]: token for token in spec.get("added_tokens", [])}
    by_id = {i: t for t, i in spec["model"]["vocab"].items()} | {i: t["content"] for i, t in added.items()}
    # llama.cpp expects exactly one name per row of the embedding: models are often padded past their tokenizer, and
    # some tokenizers have a token for which the model has no row (Gemma 3's placeholder for an image).
    return [by_id.get(i) for i in range(size)], added


def _merges(spec: Spec) -> Iterator[Sequence[str]]:
    """Yield the merges as pairs; older files join them by a space."""
    for merge in spec["model"]["merges"]:
        yield merge.split(" ", 1) if isinstance(merge, str) else merge


def _type(token: str | None, added: AddedToken | None) -> int:
    if added is not None:
        return _CONTROL if added.get("special") else _USER_DEFINED
    return _NORMAL if token is not None else _UNUSED


@contextmanager
def _writer(
    out: Path,
    architecture: str,
    tokenizer: FolderTokenizer,
    kind: tuple[str, str],
    tokens: Sequence[str | None],
    types: Sequence[int],
) -> Iterator[GGUFWriter]:
    """Yield a writer with what both kinds have in common; the file is written when the block ends."""
    import gguf

    model, pre = kind
    writer = gguf.GGUFWriter(out, architecture)
    writer.add_tokenizer_model(model)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([f"[PAD{i}]" if token is None else token for i, token in enumerate(tokens)])
    writer.add_token_types(types)
    yield writer
    for role, token in (("ends", tokenizer.eos_token_id), ("begins", tokenizer.bos_token_id)):
        if token is not None and token >= len(tokens):
            raise FddError(
                f"The model has {len(tokens)} embeddings, but none for id {token}, which {role} a text according to "
                "its tokenizer. Call model.resize_token_embeddings(len(tokenizer)), train that token, and save both "
                "again."
            )
    writer.add_eos_token_id(tokenizer.eos_token_id)
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id < len(tokens):
        writer.add_pad_token_id(tokenizer.pad_token_id)
    # What the tokenizer itself adds to a text decides; configuration flags are often wrong.
    writer.add_add_bos_token(_encode(tokenizer, "a", special=True)[:1] == [tokenizer.bos_token_id])
    writer.add_add_space_prefix(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)
    finish(writer)
