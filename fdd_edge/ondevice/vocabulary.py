"""A vocabulary stored in Hugging Face's files, read with ``tokenizers`` only."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from .bounded import BoundedError, BoundedFunction
from .families import CARD
from .first_load import fault_of_loading
from .json_text import parse_json
from .model_files import decoder_start
from .prompt import TEMPLATE_KEY, begins_with_bos
from .protocol import RunnerError, SpecialIds
from .stated_fields import fault_of_card, is_id, token_text

__all__ = ["CHAT_TEMPLATE_KEY", "Vocabulary", "read_json"]

CHAT_TEMPLATE_KEY = "tokenizer.chat_template"

_END_TOKENS = {
    *("<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>"),
    *("<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<end_of_utterance>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]"),
    *("<eos>", "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "<|fim_repo|>", "<|repo_name|>", "<fim-repo>"),
    *("<REPO>", "<reponame>", "<|file_sep|>"),
}
"""Tokens that end a reply even if no config says so: those that llama.cpp treats as the end of generation
(``llama-vocab.cpp``), so that GGUF and ONNX files stop at the same tokens."""

_BYTE_TOKEN = re.compile(r"<0x[0-9A-Fa-f]{2}>")
"""A token that stands for one byte, as SentencePiece writes it."""

_SHOWN = 60
"""Characters of a text that a message shows."""

_SPACE = "\u2581"
"""The symbol for a space in SentencePiece vocabularies."""


def _load(path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(path))


class Vocabulary:
    """The tokenizer files of a folder.

    Attributes:
        card: What our exporter wrote next to the model; empty if the folder was made by another tool.
        size: Number of ids.
    """

    def __init__(self, folder: Path) -> None:
        """Read a folder.

        Raises:
            RunnerError: ``tokenizer.json`` is missing, cannot be read, or takes too much time or memory.
        """
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise RunnerError(
                "bad_artifact", f"{path} is missing: an ONNX model needs its tokenizer in the same folder."
            )
        if fault := fault_of_loading(_load, path):
            raise RunnerError("bad_artifact", f"{path} cannot be used: loading it {fault}.")
        try:
            self._tokenizer = _load(path)
        except BaseException as error:  # an error from Rust has no type of its own, and a panic is no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            raise RunnerError("bad_artifact", f"{path} cannot be read: {error}.") from None
        # Settings for batches of training texts: transformers and llama.cpp ignore them, but `tokenizers` obeys.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._folder = folder
        self._config = read_json(folder / "tokenizer_config.json")
        self.card = read_json(folder / CARD)
        if fault := fault_of_card(self.card):
            raise RunnerError("bad_artifact", f"{folder / CARD}: {fault}.")
        self._decoder_start = decoder_start(folder)
        self.size = int(self._tokenizer.get_vocab_size(with_added_tokens=True))
        self._added = self._tokenizer.get_added_tokens_decoder()
        self._control = frozenset(token for token, added in self._added.items() if added.special)
        self._whole = {token: added.content for token, added in self._added.items() if not added.special}
        self._by_bytes = "ByteLevel" in _decoders(parse_json(self._tokenizer.to_str()).get("decoder"))
        self._eos_ids = frozenset(self._read_eos_ids())
        # The patterns in a tokenizer are a stranger's, and the texts decide how long they take.
        self._bounded = BoundedFunction(self._encode)

    def tokenize(self, text: str) -> list[int]:
        """Return the ids of a prompt, with BOS if the vocabulary asks for it.

        For an encoder-decoder, the ids are those of the encoder, with the special tokens that its tokenizer adds,
        followed by the decoder's start token: a reply continues after the last id of the prompt.
        """
        if self._decoder_start is not None:
            return [*self._ids(text, special=True), self._decoder_start]
        ids = self.encode(text)
        bos = self.special_ids.bos
        return [bos, *ids] if self.begins(text) and bos is not None else ids

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text. Special tokens in it are recognised, and none are added.

        Raises:
            RunnerError: The tokenizer takes too much time or memory for it.
        """
        return self._ids(text, special=False)

    def close(self) -> None:
        """End the child process that encodes texts."""
        self._bounded.close()

    def _ids(self, text: str, *, special: bool) -> list[int]:
        try:
            ids: list[int] = self._bounded([_encodable(text), special])
        except BoundedError as error:
            path, what = self._folder / "tokenizer.json", f"{'' if error.over_limit else 'fails: '}{error}"
            shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
            raise RunnerError("bad_artifact", f"{path} cannot be used: for {shown!r} it {what}.") from None
        return ids

    def _encode(self, request: tuple[str, bool]) -> list[int]:
        """Return the ids of a text, with the special tokens that the tokenizer adds if these are wanted."""
        text, special = request
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=special).ids
        return ids

    def begins(self, text: str) -> bool:
        """Return whether BOS is prepended to a text."""
        adds_bos = self.special_ids.adds_bos and self._decoder_start is None
        return begins_with_bos(text, adds_bos=adds_bos, bos_text=self.bos_text)

    def ends_reply(self, token: int) -> bool:
        """Return whether a token ends the reply."""
        return token in self._eos_ids

    @functools.cache  # noqa: B019 (there is one vocabulary per process)
    def piece(self, token: int) -> bytes:
        """Return the bytes of one token; empty for control tokens and unknown ids."""
        if token in self._control:
            return b""
        if token in self._whole:
            return self._with_spaces(str(self._whole[token])).encode()
        written: str | None = self._tokenizer.id_to_token(token)
        if written is None:
            return b""
        if self._by_bytes:
            return bytes(_BYTES[symbol] for symbol in written) if set(written) <= _BYTES.keys() else written.encode()
        if _BYTE_TOKEN.fullmatch(written):
            return bytes.fromhex(written[3:5])
        return self._with_spaces(written).encode()

    def _with_spaces(self, text: str) -> str:
        """Return a text with spaces in place of the vocabulary's symbol for them, if it has one."""
        return text if self._by_bytes else text.replace(_SPACE, " ")

    @functools.cached_property
    def special_ids(self) -> SpecialIds:
        """The ids that begin and end a text."""
        bos, eos = self._id_of("bos_token"), self._id_of("eos_token")
        adds = self.card.get("adds_bos")
        if adds is None:
            adds = self._decoder_start is None and bos is not None and self._ids("a", special=True)[:1] == [bos]
        return SpecialIds(bos=bos, eos=eos, eos_ids=tuple(sorted(self._eos_ids)), adds_bos=bool(adds))

    @property
    def bos_text(self) -> str:
        """The text of the beginning-of-sequence token; empty if there is none."""
        return self._text_of("bos_token")

    @property
    def eos_text(self) -> str:
        """The text of the end-of-sequence token; empty if there is none."""
        return self._text_of("eos_token")

    def metadata(self, key: str) -> str | None:
        """Return the prompt template or the chat template, under the keys that they have in a GGUF."""
        if key == TEMPLATE_KEY:
            return self.card.get("prompt_template")
        if key == CHAT_TEMPLATE_KEY:
            path = self._folder / "chat_template.jinja"
            if path.is_file():
                return path.read_text(encoding="utf-8", errors="replace")
            return _default_template(self._config.get("chat_template"))
        return None

    def _read_eos_ids(self) -> Iterator[int]:
        """Yield the ids that end a reply: those of the card, otherwise those of the configs and the usual end tokens.

        For an encoder-decoder only those of the configs count.
        """
        if self.card.get("stop_ids") is not None:
            yield from self.card["stop_ids"]
            return
        for name in ("generation_config.json", "config.json"):
            found = read_json(self._folder / name).get("eos_token_id")
            ids = found if isinstance(found, list) else [] if found is None else [found]
            if not all(map(is_id, ids)):
                shown = f"{self._folder / name}: eos_token_id must be a whole number or a list of such"
                raise RunnerError("bad_artifact", f"{shown}, not {str(found)[:_SHOWN]!r}.")
            yield from ids
        if (eos := self._id_of("eos_token")) is not None:
            yield eos
        if self._decoder_start is None:
            yield from (token for token, added in self._added.items() if added.content in _END_TOKENS)

    def _text_of(self, name: str) -> str:
        found = token_text(self._config.get(name))
        if found is None:
            shown = str(self._config[name])[:_SHOWN]
            raise RunnerError(
                "bad_artifact", f"{self._folder / 'tokenizer_config.json'}: {name} must be a token, not {shown!r}."
            )
        return found

    def _id_of(self, name: str) -> int | None:
        text = self._text_of(name)
        found: int | None = self._tokenizer.token_to_id(text) if text else None
        return found


def _default_template(found: object) -> str | None:
    """Return a chat template, or of several (a list of names and templates) the one that is named ``default``."""
    if isinstance(found, list):
        found = {entry.get("name"): entry.get("template") for entry in found if isinstance(entry, dict)}.get("default")
    return found if isinstance(found, str) else None


def _encodable(text: str) -> str:
    """Return a text that can be encoded as UTF-8, with lone surrogates replaced."""
    return text.encode("utf-8", errors="replace").decode()


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, empty if there is no such file.

    Raises:
        RunnerError: The file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunnerError("bad_artifact", f"{path} cannot be read: {error}.") from None
    if not isinstance(content, dict):
        raise RunnerError("bad_artifact", f"{path} does not contain a JSON object.")
    return content


def _decoders(decoder: Mapping[str, Any] | None) -> set[str]:
    """Return the types of a decoder and of its parts."""
    if decoder is None:
        return set()
    inside = [name for part in decoder.get("decoders", ()) for name in _decoders(part)]
    return {str(decoder["type"]), *inside}


def _byte_symbols() -> Iterator[tuple[str, int]]:
    """Yield the symbol for each byte in a byte-level vocabulary: the character itself, or one from 256 on.

    Source: GPT-2's encoder, where the printable bytes are those of Latin-1 except spaces and the soft hyphen.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    unprintable = (byte for byte in range(256) if byte not in printable)
    yield from ((chr(byte), byte) for byte in printable)
    yield from ((chr(256 + n), byte) for n, byte in enumerate(unprintable))


_BYTES = dict(_byte_symbols())
