"""llama.cpp's own tokenizer, built from the ``tokenizer.*`` keys of a GGUF file."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from fdd_edge.artifacts.gguf.llama_log import captured_log
from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.ondevice.bounded import BoundedError, BoundedFunction
from fdd_edge.ondevice.normalizer import NORMALIZER_KEY, WHOLE_TOKENS_KEY, normalize_text, parse_tokens
from fdd_edge.ondevice.prompt import begins_with_bos
from fdd_edge.ondevice.protocol import RunnerError

__all__ = ["DeviceVocab"]

_CHAT_TEMPLATE = b"tokenizer.chat_template"
_STRING_OVERRIDE = 3
_PIECE = 64
"""Buffer size that fits most tokens; a longer one is read again with a larger buffer."""


class DeviceVocab:
    """The vocabulary as llama.cpp reads it on a device; loads no tensors. Use it as a context manager.

    Attributes:
        normalizer: What is done to a text first, see ``ondevice.normalizer``; None for nothing.
        whole_tokens: Tokens that are found before that, and may drop the spaces around them.
    """

    def __init__(self, path: Path, *, pre: str | None = None) -> None:
        """Open a GGUF file, with or without tensors.

        Args:
            path: The file.
            pre: Name of a pre-tokenizer to use instead of the one in the file.

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
            if pre is not None:
                overrides = (llama_cpp.llama_model_kv_override * 2)()
                overrides[0].tag = _STRING_OVERRIDE
                overrides[0].key = b"tokenizer.ggml.pre"
                overrides[0].value.val_str = pre.encode()
                params.kv_overrides = ctypes.cast(overrides, type(params.kv_overrides))
            self._llama_cpp = llama_cpp
            self._model = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            raise FddError(f"llama.cpp cannot read the vocabulary of {path}: {log.last_error or 'no reason given'}")
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self._path, self._pieces = path, dict[int, bytes]()
        self._bounded: BoundedFunction | None = None
        self.normalizer = self._metadata(NORMALIZER_KEY.encode())
        try:
            self.whole_tokens = parse_tokens(self._metadata(WHOLE_TOKENS_KEY.encode()))
        except RunnerError as error:
            self.close()
            raise FddError(f"{path}: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the model, and end the child process that encodes texts."""
        if self._bounded:
            self._bounded.close()
        self._llama_cpp.llama_model_free(self._model)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, normalized as the runner does; special tokens are recognised, and none is added.

        Raises:
            FddError: The vocabulary takes too much time or memory for it, as it may in a stranger's file.
        """
        self._bounded = self._bounded or BoundedFunction(self._encode)
        try:
            ids: list[int] = self._bounded(normalize_text(text, self.normalizer, self.whole_tokens))
        except BoundedError as error:
            what = f"{'' if error.over_limit else 'fails: '}{error}"
            raise FddError(
                f"The vocabulary of {self._path} cannot be used: for a text of {len(text):,} characters it {what}."
            ) from None
        return ids

    def _encode(self, text: str) -> list[int]:
        raw = text.encode()
        # Most tokenizers write at most one token per byte; llama.cpp returns -n if it needs room for n.
        n = -(len(raw) + 1)
        while n < 0:
            room = -n
            ids = (self._llama_cpp.llama_token * room)()
            n = self._llama_cpp.llama_tokenize(self._vocab, raw, len(raw), ids, room, False, True)
        return list(ids[:n])

    def encode_prompt(self, text: str) -> list[int]:
        """Return the ids of a prompt, with BOS added by the runner's own rule."""
        bos = [self._llama_cpp.llama_vocab_bos(self._vocab)] if self.begins(text) else []
        return [*bos, *self.encode(text)]

    def begins(self, text: str) -> bool:
        """Return whether the device adds BOS to a text."""
        return begins_with_bos(text, adds_bos=self.adds_bos, bos_text=self.bos_text)

    def write_back(self, ids: Sequence[int]) -> bytes:
        """Return the reply that the device makes of these ids: up to a token that ends a reply."""
        written = []
        for token in ids:
            if self._llama_cpp.llama_vocab_is_eog(self._vocab, token):
                break
            written.append(self._piece(token))
        return b"".join(written)

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """The bytes that each token adds to a reply, by id; control and unused tokens add none."""
        c_api = self._llama_cpp
        unused = c_api.LLAMA_TOKEN_ATTR_UNUSED
        return tuple(
            b"" if c_api.llama_vocab_get_attr(self._vocab, token) & unused else self._piece(token)
            for token in range(c_api.llama_vocab_n_tokens(self._vocab))
        )

    @property
    def adds_bos(self) -> bool:
        """Whether BOS is added to a prompt."""
        return bool(self._llama_cpp.llama_vocab_get_add_bos(self._vocab))

    @property
    def bos_text(self) -> str:
        """Text of the BOS token; empty if there is none."""
        return self._text(self._llama_cpp.llama_vocab_bos(self._vocab))

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """Every id that ends a reply, sorted."""
        c_api = self._llama_cpp
        return tuple(
            i for i in range(c_api.llama_vocab_n_tokens(self._vocab)) if c_api.llama_vocab_is_eog(self._vocab, i)
        )

    @property
    def eos_text(self) -> str:
        """Text of the EOS token; empty if there is none."""
        return self._text(self.eos)

    @property
    def eos(self) -> int:
        """Id of the EOS token."""
        return int(self._llama_cpp.llama_vocab_eos(self._vocab))

    @property
    def chat_template(self) -> str | None:
        """The chat template in the file, Jinja source, or None."""
        return self._metadata(_CHAT_TEMPLATE)

    def _metadata(self, key: bytes) -> str | None:
        """Return a string of the file's metadata, or None."""
        size = self._llama_cpp.llama_model_meta_val_str(self._model, key, None, 0)
        if size < 0:
            return None
        buffer = ctypes.create_string_buffer(size + 1)
        self._llama_cpp.llama_model_meta_val_str(self._model, key, buffer, len(buffer))
        return buffer.value.decode("utf-8", errors="replace")

    def _text(self, token: int) -> str:
        if token < 0:
            return ""
        return str(self._llama_cpp.llama_vocab_get_text(self._vocab, token).decode("utf-8", errors="replace"))

    def _piece(self, token: int) -> bytes:
        """Return the bytes of a token; control tokens have none."""
        if token not in self._pieces:
            self._pieces[token] = self._read_piece(token)
        return self._pieces[token]

    def _read_piece(self, token: int) -> bytes:
        n = -_PIECE
        while n < 0:
            buffer = ctypes.create_string_buffer(-n)
            n = self._llama_cpp.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
        return buffer.raw[:n]
