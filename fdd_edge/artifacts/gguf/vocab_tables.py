"""The vocabulary as llama.cpp reads it: a GGUF file without tensors.

It stays next to the student from base to merge, and every exported file copies its ``tokenizer.*`` keys, so the
tokenizer of an artifact is the same as its base's, key by key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fdd_edge.artifacts.gguf.reader import field, open_gguf
from fdd_edge.errors import FddError
from fdd_edge.ondevice.normalizer import NORMALIZER_KEY, WHOLE_TOKENS_KEY, WholeToken, parse_tokens
from fdd_edge.ondevice.protocol import RunnerError

if TYPE_CHECKING:
    from gguf import GGUFReader, GGUFWriter

__all__ = ["VocabTables", "copy_keys", "copy_vocab", "finish", "read_vocab"]


class VocabTables(NamedTuple):
    """The byte-level BPE vocabulary of a GGUF file (``tokenizer.ggml.*``).

    Attributes:
        tokens: One byte-level string per id.
        token_types: One type of the GGUF specification per id.
        merges: Pairs joined by a space, best first.
        pre: Name of the pre-tokenizer.
        bos: Id of the BOS token, or None.
        adds_bos: Whether BOS is added to every text.
        eos: Id of the EOS token.
        chat_template: Jinja source, or None.
        normalizer: What is done to a text first, see ``ondevice.normalizer``; None for nothing.
        whole_tokens: Tokens that are found before that, and may drop the spaces around them.
    """

    tokens: Sequence[str]
    token_types: Sequence[int]
    merges: Sequence[str]
    pre: str
    bos: int | None
    adds_bos: bool
    eos: int
    chat_template: str | None
    normalizer: str | None
    whole_tokens: Sequence[WholeToken] = ()


def copy_keys(reader: GGUFReader, writer: GGUFWriter, prefix: str, *, leave_out: Sequence[str] = ()) -> None:
    """Copy the metadata keys that start with ``prefix`` into another file, value types included."""
    import gguf

    for name, found in reader.fields.items():
        if not name.startswith(prefix) or name in leave_out:
            continue
        kind = found.types[0]
        sub_type = found.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field(reader, name), kind, sub_type=sub_type)


def copy_vocab(source: Path, out: Path) -> None:
    """Write the vocabulary of a GGUF file to a separate file."""
    import gguf

    reader = open_gguf(source)
    writer = gguf.GGUFWriter(out, field(reader, "general.architecture"))
    copy_keys(reader, writer, "tokenizer.")
    finish(writer)


def read_vocab(path: Path) -> VocabTables:
    """Read the tables of a byte-level BPE vocabulary.

    Raises:
        FddError: The file holds another kind of tokenizer.
    """
    reader = open_gguf(path)
    kind = field(reader, "tokenizer.ggml.model")
    if kind != "gpt2":
        raise FddError(
            f"{path} has a tokenizer of kind {kind!r}. Only 'gpt2' can be trained from a GGUF yet; use the Hugging "
            "Face folder it was made from."
        )
    if field(reader, "tokenizer.ggml.eos_token_id") is None:
        raise FddError(f"{path} has no EOS token, so a student could not learn to end a reply.")
    try:
        whole_tokens = parse_tokens(field(reader, WHOLE_TOKENS_KEY))
    except (RunnerError, TypeError):
        raise FddError(f"{path} has a damaged vocabulary: {WHOLE_TOKENS_KEY}.") from None
    tables = VocabTables(
        tokens=field(reader, "tokenizer.ggml.tokens"),
        token_types=field(reader, "tokenizer.ggml.token_type"),
        merges=field(reader, "tokenizer.ggml.merges"),
        pre=field(reader, "tokenizer.ggml.pre", "default"),  # what llama.cpp takes then
        bos=field(reader, "tokenizer.ggml.bos_token_id"),
        adds_bos=bool(field(reader, "tokenizer.ggml.add_bos_token", False)),
        eos=field(reader, "tokenizer.ggml.eos_token_id"),
        chat_template=field(reader, "tokenizer.chat_template"),
        normalizer=field(reader, NORMALIZER_KEY),
        whole_tokens=whole_tokens,
    )
    if fault := _fault(tables):
        raise FddError(f"{path} has a damaged vocabulary: {fault}; fetch it again, or export it again.")
    return tables


def _fault(tables: VocabTables) -> str | None:
    """Return what is wrong with the tables, or None: every entry is what the next steps take it for."""
    for name in ("tokens", "merges"):
        texts = getattr(tables, name)
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            return f"its {name} are not a list of texts"
    if bad := next((merge for merge in tables.merges if len(merge.split(" ", 1)) != 2), None):
        return f"the merge {bad[:60]!r} is not a pair"
    if len(known := set(tables.tokens)) != len(tables.tokens):
        return f"the token {next(t for t, n in Counter(tables.tokens).items() if n > 1)[:60]!r} occurs twice"
    if tables.token_types is None:
        return "it lacks tokenizer.ggml.token_type"
    if not isinstance(tables.token_types, list) or len(tables.token_types) != len(tables.tokens):
        return "its tokens and their types differ in number"
    for name, token in (("BOS", tables.bos), ("EOS", tables.eos)):
        if token is not None and not (isinstance(token, int) and 0 <= token < len(tables.tokens)):
            return f"its {name} token is {token!r}, and it has {len(tables.tokens)} tokens"
    if not all(isinstance(text, str | None) for text in (tables.pre, tables.chat_template, tables.normalizer)):
        return "a number stands where a text belongs"
    for merge in tables.merges:
        if lost := {*merge.split(" ", 1), merge.replace(" ", "", 1)} - known:
            return f"the merge {merge[:60]!r} is of {min(lost)[:60]!r}, which is not a token"
    return None


def finish(writer: GGUFWriter) -> None:
    """Write a file that holds only metadata."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
