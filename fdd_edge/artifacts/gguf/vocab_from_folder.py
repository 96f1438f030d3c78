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
from typing import TYPE_CHECKING, Any, NamedTuple

from fdd_edge.artifacts.gguf.llama_vocab import DeviceVocab
from fdd_edge.artifacts.gguf.pre_tokenizer import PRE_TOKENIZERS, encode, find_pre, same_ids, wanted_ids, why_none
from fdd_edge.artifacts.gguf.vocab_normalizer import check_no_prefix_space, normalizer_of
from fdd_edge.artifacts.gguf.vocab_tables import finish
from fdd_edge.artifacts.gguf.vocab_whole_tokens import whole_tokens_of
from fdd_edge.artifacts.vocab_protocol import FolderTokenizer
from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.normalizer import NORMALIZER_KEY, WHOLE_TOKENS_KEY, WholeToken, dump_tokens

if TYPE_CHECKING:
    from gguf import GGUFWriter

__all__ = ["write_vocab_from_folder"]

_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = range(1, 7)
"""Token types of the GGUF specification."""

Spec = Mapping[str, Any]
"""A parsed ``tokenizer.json``."""

AddedToken = Mapping[str, Any]
"""One of its ``added_tokens``."""

_SPACE = "▁"
_BYTES = frozenset(f"<0x{byte:02X}>" for byte in range(256))


class _Rules(NamedTuple):
    """What is done to a text before llama.cpp sees it."""

    normalizer: str | None
    tokens: Sequence[WholeToken]


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
    # As transformers reads it: tokens and flags may stand in tokenizer_config.json or added_tokens.json.
    spec = parse_json(tokenizer.backend_tokenizer.to_str())
    # Where the two differ about a space before every text, other runtimes than transformers go by the file.
    stored = parse_json((folder / "tokenizer.json").read_text(encoding="utf-8"))
    size = parse_json((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    model, decoder = spec["model"], json.dumps(spec.get("decoder"))
    if model.get("type") == "BPE":
        for one in (spec, stored):
            check_no_prefix_space(one, folder)
    if model.get("type") == "BPE" and "ByteLevel" in decoder:
        rules = _rules(spec, folder, size, marks_spaces=False)
        write = partial(_write_byte_level, spec, tokenizer, out, architecture, size, rules=rules)
        write(pre=PRE_TOKENIZERS[0])
        wanted, looked_up = wanted_ids(tokenizer)
        pre = find_pre(out, wanted | looked_up)
        if pre is None:
            fault = why_none(out, wanted, looked_up, folder)
            out.unlink()
            raise fault
        if pre != PRE_TOKENIZERS[0]:
            write(pre=pre)
    elif model.get("type") == "BPE" and model.get("byte_fallback") and "ByteFallback" in decoder:
        rules = _rules(spec, folder, size, marks_spaces=True)
        _write_sentencepiece(spec, tokenizer, out, architecture, size, rules=rules)
        wanted, looked_up = wanted_ids(tokenizer)
        with DeviceVocab(out) as device:
            same = same_ids(device, wanted | looked_up if model.get("ignore_merges") else wanted)
        if not same:
            out.unlink()
            raise FddError(f"llama.cpp's SentencePiece does not give the same ids as the tokenizer of {folder}.")
    else:
        raise FddError(
            f"The tokenizer of {folder} is neither byte-level BPE nor BPE with byte fallback; "
            "other kinds are not supported yet."
        )


def _write_byte_level(
    spec: Spec,
    tokenizer: FolderTokenizer,
    out: Path,
    architecture: str,
    size: int,
    *,
    pre: str,
    rules: _Rules,
) -> None:
    """Write one byte-level vocabulary with the given pre-tokenizer name."""
    tokens, added = _tokens(spec, size)
    types = [_type(token, added.get(i)) for i, token in enumerate(tokens)]
    with _writer(out, architecture, tokenizer, ("gpt2", pre), tokens, types) as writer:
        writer.add_token_merges([" ".join(pair) for pair in _merges(spec)])
        _add_rules(writer, rules)


def _rules(spec: Spec, folder: Path, size: int, *, marks_spaces: bool) -> _Rules:
    """Return what the runner must do to a text; raises ``FddError`` for what cannot be done."""
    normalizer = normalizer_of(spec, folder, marks_spaces=marks_spaces)
    added = [token for token in spec.get("added_tokens", []) if token["id"] < size]
    return _Rules(normalizer, whole_tokens_of(added, folder, normalizer=normalizer, marks_spaces=marks_spaces))


def _add_rules(writer: GGUFWriter, rules: _Rules) -> None:
    if rules.normalizer is not None:
        writer.add_string(NORMALIZER_KEY, rules.normalizer)
    if rules.tokens:
        writer.add_string(WHOLE_TOKENS_KEY, dump_tokens(rules.tokens))


def _write_sentencepiece(
    spec: Spec, tokenizer: FolderTokenizer, out: Path, architecture: str, size: int, *, rules: _Rules
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
        _add_rules(writer, rules)
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
    writer.add_add_bos_token(encode(tokenizer, "a", special=True)[:1] == [tokenizer.bos_token_id])
    writer.add_add_space_prefix(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)
    finish(writer)
