"""llama.cpp through the C API that llama-cpp-python exposes: a model file, and a context that decodes batches.

The package's own ``Llama`` decodes one sequence at a time; the C API decodes many in one batch.
"""

from __future__ import annotations

import ctypes
import functools
import os
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self

import llama_cpp
import numpy as np
from llama_cpp import llama_cpp as c_api

from .bounded import BoundedError, BoundedFunction
from .normalizer import NORMALIZER_KEY, WHOLE_TOKENS_KEY, normalize_text, parse_tokens
from .prompt import begins_with_bos
from .protocol import RunnerError, SpecialIds
from .runtime import Logits
from .shared_cores import ThreadChoice, shares_cores

__all__ = ["Context", "Model", "open_model"]

# When llama.cpp aborts, it has gdb print hundreds of lines after the one that says why, if gdb is installed.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")

BATCH = 512
"""Maximum number of tokens per call; longer prompts are fed in pieces."""

_MAGIC = b"GGUF"
_LOG_ERROR = 4
_KV_TYPES = {"f32": 0, "f16": 1}  # enum ggml_type

_errors: deque[str] = deque(maxlen=4)


@c_api.llama_log_callback  # type: ignore[untyped-decorator]
def _keep_errors(level: int, text: bytes, user_data: object) -> None:
    """Keep llama.cpp's last error lines for our own messages; drop the rest of its log."""
    if level == _LOG_ERROR:
        _errors.append(text.decode("utf-8", errors="replace").strip())


def open_model(artifact: str, threads: int) -> Model:
    """Load a GGUF file; llama.cpp takes the number of threads per context.

    Raises:
        RunnerError: There is no such file, or llama.cpp cannot load it.
    """
    del threads
    return Model(artifact)


class Model:
    """A GGUF file, mapped into memory, with its vocabulary. Use it as a context manager."""

    runtime = "llama-cpp-python"
    runtime_version = str(llama_cpp.__version__)
    has_flash_attention = True

    def __init__(self, path: str) -> None:
        """Load a file.

        Raises:
            RunnerError: There is no such file, or llama.cpp cannot load it.
        """
        _check_magic(path)
        c_api.llama_log_set(_keep_errors, None)
        _errors.clear()
        self._model: c_api.llama_model_p | None = c_api.llama_model_load_from_file(
            os.fsencode(path), c_api.llama_model_default_params()
        )
        if not self._model:
            raise RunnerError("bad_artifact", f"llama.cpp cannot load {path}{_last_error()}.")
        self._bounded: BoundedFunction | None = None
        self._vocab = c_api.llama_model_get_vocab(self._model)
        self._pieces: dict[int, bytes] = {}
        self.path = path
        self._normalizer, self._whole_tokens = self.metadata(NORMALIZER_KEY), self.metadata(WHOLE_TOKENS_KEY)
        self.system_info = str(c_api.llama_print_system_info().decode()).strip()
        self.n_vocab = int(c_api.llama_vocab_n_tokens(self._vocab))
        self.n_ctx_train = int(c_api.llama_model_n_ctx_train(self._model))
        self.n_params = int(c_api.llama_model_n_params(self._model))
        if c_api.llama_model_has_encoder(self._model):
            self.close()
            raise RunnerError("bad_artifact", f"{path} has an encoder; only decoder-only GGUF models are supported.")
        # The vocabulary is a stranger's, and llama.cpp cannot be stopped: one token of 300,000 bytes keeps it for days.
        self._bounded = BoundedFunction(self._encode)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the memory, and end the child process that encodes texts."""
        if self._bounded:
            self._bounded.close()
        if self._model:
            c_api.llama_model_free(self._model)
            self._model = None

    @functools.cached_property
    def description(self) -> str:
        """Architecture, size and number format, as llama.cpp reports them."""
        text = ctypes.create_string_buffer(256)
        c_api.llama_model_desc(self._model, text, len(text))
        return text.value.decode("utf-8", errors="replace")

    @functools.cached_property
    def bos_text(self) -> str:
        """The text of the BOS token; empty if there is none."""
        return self._token_text(c_api.llama_vocab_bos(self._vocab))

    @functools.cached_property
    def eos_text(self) -> str:
        """The text of the EOS token; empty if there is none."""
        return self._token_text(c_api.llama_vocab_eos(self._vocab))

    @functools.cached_property
    def special_ids(self) -> SpecialIds:
        """The ids that begin and end a text."""
        bos, eos = c_api.llama_vocab_bos(self._vocab), c_api.llama_vocab_eos(self._vocab)
        return SpecialIds(
            bos=bos if bos >= 0 else None,
            eos=eos if eos >= 0 else None,
            eos_ids=tuple(token for token in range(self.n_vocab) if self.ends_reply(token)),
            adds_bos=bool(c_api.llama_vocab_get_add_bos(self._vocab)),
        )

    @functools.cached_property
    def keeps_state(self) -> bool:
        """Whether its memory cannot be cut at a position, as with Mamba and similar architectures."""
        return bool(c_api.llama_model_is_recurrent(self._model) or c_api.llama_model_is_hybrid(self._model))

    def metadata(self, key: str) -> str | None:
        """Return the file's value of a metadata key, or None if the key is missing or holds a list."""
        name = key.encode()
        size = c_api.llama_model_meta_val_str(self._model, name, None, 0)
        if size < 0:
            return None
        text = ctypes.create_string_buffer(size + 1)
        c_api.llama_model_meta_val_str(self._model, name, text, len(text))
        return text.value.decode("utf-8", errors="replace")

    def tokenize(self, text: str) -> list[int]:
        """Return the ids of a prompt.

        Special tokens in it are recognised. BOS is added if the file asks for it and the text does not already begin
        with it; EOS is never added. If the file names a normalizer, or tokens that drop spaces, that is done first:
        llama.cpp does neither.

        Raises:
            RunnerError: The file names a normalizer that is not supported, or its vocabulary takes too much time or
                memory for the text.
        """
        normalized = normalize_text(text, self._normalizer, parse_tokens(self._whole_tokens))
        assert self._bounded is not None
        try:
            ids: list[int] = self._bounded(normalized.encode("utf-8", errors="replace").decode())
        except BoundedError as error:
            what = f"for a prompt of {len(normalized):,} characters it {'' if error.over_limit else 'fails: '}{error}"
            raise RunnerError("bad_artifact", f"The vocabulary of {self.path} cannot be used: {what}.") from None
        adds_bos = bool(c_api.llama_vocab_get_add_bos(self._vocab))
        begins = begins_with_bos(text, adds_bos=adds_bos, bos_text=self.bos_text)
        bos: list[int] = [c_api.llama_vocab_bos(self._vocab)] if begins else []
        return bos + ids

    def _encode(self, text: str) -> list[int]:
        """Return the ids of a text."""
        raw = text.encode()
        ids = (c_api.llama_token * (len(raw) + 8))()
        n = c_api.llama_tokenize(self._vocab, raw, len(raw), ids, len(ids), False, True)
        if n < 0:
            raise ValueError(f"llama.cpp needs {-n} tokens for {len(raw)} bytes of text")
        return list(ids[:n])

    def ends_reply(self, token: int) -> bool:
        """Return whether a token ends a reply."""
        return bool(c_api.llama_vocab_is_eog(self._vocab, token))

    def piece(self, token: int) -> bytes:
        """Return the bytes of one token, possibly part of a character; control tokens have none."""
        if token not in self._pieces:
            self._pieces[token] = self._read_piece(token)
        return self._pieces[token]

    def open_context(
        self, cells: int, sequences: int, threads: int, kv: Literal["f16", "f32"], *, flash: bool = False
    ) -> Context:
        """Allocate a key-value cache of ``cells`` tokens for each of ``sequences`` sequences.

        Flash attention rounds to f16 internally, whatever ``kv`` says.

        Raises:
            RunnerError: llama.cpp cannot create a context, for example because the model does not generate text.
        """
        _errors.clear()
        return Context(self._model, self.n_vocab, cells, sequences, threads, kv, flash=flash)

    def _read_piece(self, token: int) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            n = c_api.llama_token_to_piece(self._vocab, token, buffer, size, 0, False)
            if n >= 0:
                return buffer.raw[:n]
            size = -n

    def _token_text(self, token: int) -> str:
        if token < 0:
            return ""
        return str(c_api.llama_vocab_get_text(self._vocab, token).decode("utf-8", errors="replace"))


class _Feed(NamedTuple):
    """Tokens to append to one sequence; ``wants_logits`` asks for what follows the last of them."""

    sequence: int
    position: int
    tokens: Sequence[int]
    wants_logits: bool


class Context:
    """A key-value cache and the batch that fills it. Close it when done.

    Every sequence has its own cells, so attention only sees its own tokens. llama.cpp runs such a batch in one piece
    if its sequences follow one another without a gap (``llama_batch_allocr::split_equal``).
    """

    def __init__(
        self,
        model: c_api.llama_model_p,
        n_vocab: int,
        cells: int,
        sequences: int,
        threads: int,
        kv: str,
        *,
        flash: bool,
    ) -> None:
        params = c_api.llama_context_default_params()
        params.n_ctx = cells * sequences
        params.n_batch = params.n_ubatch = BATCH
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        params.type_k = params.type_v = _KV_TYPES[kv]
        params.flash_attn_type = c_api.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash else c_api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.kv_unified = False
        params.no_perf = True
        self._context: c_api.llama_context_p | None = c_api.llama_init_from_model(model, params)
        if not self._context:
            raise RunnerError("bad_artifact", f"llama.cpp cannot run this model{_last_error()}.")
        self._memory = c_api.llama_get_memory(self._context)
        self._batch = c_api.llama_batch_init(BATCH, 0, 1)
        self._n_vocab = n_vocab
        self._threads = self._threads_set = threads
        self._flash = flash
        self._choice = ThreadChoice(threads) if threads > 1 and shares_cores() else None
        self.shape = (cells, sequences)

    def close(self) -> None:
        """Release the memory."""
        if self._context:
            c_api.llama_batch_free(self._batch)
            c_api.llama_free(self._context)
            self._context = None

    def clear(self) -> None:
        """Forget every sequence, and zero the cells so that nothing of an earlier wave remains."""
        c_api.llama_memory_clear(self._memory, True)

    def cut(self, sequence: int, position: int) -> None:
        """Forget what a sequence holds from a position onwards."""
        c_api.llama_memory_seq_rm(self._memory, sequence, position, -1)

    def copy(self, source: int, target: int) -> None:
        """Make ``target`` a copy of ``source`` as it is now."""
        c_api.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def read(self, sequence: int, position: int, tokens: Sequence[int]) -> None:
        """Append any number of tokens to a sequence without computing logits."""
        for start in range(0, len(tokens), BATCH):
            self._decode([_Feed(sequence, position + start, tokens[start : start + BATCH], False)])

    def step(self, tokens: Sequence[int], positions: Sequence[int]) -> Logits:
        """Append one token to each of the first sequences; the logits returned are llama.cpp's own memory.

        Raises:
            RunnerError: llama.cpp failed.
        """
        places = enumerate(zip(tokens, positions, strict=True))
        return self._decode([_Feed(sequence, at, (token,), True) for sequence, (token, at) in places])

    def follow(self, position: int, tokens: Sequence[int]) -> Logits:
        """Append at most ``BATCH`` tokens to sequence 0; the logits after each, which are llama.cpp's own memory."""
        return self._decode([_Feed(0, at, (token,), True) for at, token in enumerate(tokens, position)])

    def _decode(self, feeds: Sequence[_Feed]) -> Logits:
        """Run one batch; return one row of logits per feed that wants them, in order."""
        n_rows = self._fill(feeds)
        status = self._run()
        if status != 0:
            raise RunnerError("internal", f"llama.cpp could not decode a batch (status {status}){_last_error()}.")
        if not n_rows:
            return np.empty((0, self._n_vocab), np.float32)
        return np.ctypeslib.as_array(c_api.llama_get_logits(self._context), shape=(n_rows, self._n_vocab))

    def _run(self) -> int:
        """Run the batch with as many threads as there are free cores; return llama.cpp's status."""
        choice = self._choice
        if choice is None:
            return self._decode_batch()
        # Flash attention of a single token after more than 256 is summed by as many threads as there are, each of which
        # takes a part: another number of them would give other bits.
        must_not_change = self._flash and self._batch.n_tokens == 1
        self._set_threads(self._threads if must_not_change else choice.threads)
        if must_not_change:
            return self._decode_batch()
        began, cpu_began = time.perf_counter(), time.process_time()
        status = self._decode_batch()
        choice.note(time.perf_counter() - began, time.process_time() - cpu_began)
        return status

    def _set_threads(self, threads: int) -> None:
        if threads != self._threads_set:
            c_api.llama_set_n_threads(self._context, threads, threads)
            self._threads_set = threads

    def _decode_batch(self) -> int:
        return int(c_api.llama_decode(self._context, self._batch))

    def _fill(self, feeds: Sequence[_Feed]) -> int:
        """Fill the batch; return the number of rows of logits it asks for."""
        batch, at, n_rows = self._batch, 0, 0
        for sequence, position, tokens, wants_logits in feeds:
            for offset, token in enumerate(tokens):
                batch.token[at] = token
                batch.pos[at] = position + offset
                batch.n_seq_id[at] = 1
                batch.seq_id[at][0] = sequence
                batch.logits[at] = 0
                at += 1
            if wants_logits:
                batch.logits[at - 1] = 1
                n_rows += 1
        batch.n_tokens = at
        return n_rows


def _check_magic(path: str) -> None:
    """Refuse a file that is obviously not a GGUF before llama.cpp sees it: its own message is about a magic number."""
    if not Path(path).is_file():
        raise RunnerError("bad_artifact", f"{path} is not a file.")
    try:
        with Path(path).open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise RunnerError("bad_artifact", f"{path} cannot be read: {error.strerror}.") from None
    if magic != _MAGIC:
        raise RunnerError("bad_artifact", f"{path} is not a GGUF file: it does not begin with GGUF.")


def _last_error() -> str:
    """Return llama.cpp's first error as the end of a sentence; the errors after it follow from it."""
    with suppress(IndexError):
        return f": {_errors[0].rstrip('.')}"
    return ""
