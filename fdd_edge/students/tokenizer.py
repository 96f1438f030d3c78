"""The student's tokenizer, rebuilt from GGUF tables so that it produces the ids that the device will see.

The tokenizer that transformers rebuilds from a GGUF file drops the pre-tokenizer (SmolLM2's splits digits), so its ids
differ from llama.cpp's if two spaces precede a digit, and it has no end or padding token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fdd_edge.errors import FddError
from fdd_edge.ondevice.bounded import BoundedError, bounded_map
from fdd_edge.ondevice.first_load import fault_of_loading
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.normalizer import NFC, WholeToken
from fdd_edge.ondevice.prompt import begins_with_bos

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = [
    "PRE_TOKENIZERS",
    "Example",
    "begins_texts",
    "decode_ids",
    "encode_examples",
    "encode_prompts",
    "encode_texts",
    "load_tokenizer",
    "rebuild_tokenizer",
]

_AT_ONCE = 64
"""Texts that are encoded together, under one limit; honest ones take a hundredth of a second."""

_CONTROL, _USER_DEFINED = 3, 4
"""Token types of the GGUF specification that are matched as a whole, before the text is split."""

PRE_TOKENIZERS = ("smollm", "gpt-2")
"""GGUF names of the pre-tokenizers that can be rebuilt."""


class Example(NamedTuple):
    """The ids of one training example; the loss covers the completion only."""

    prompt_ids: list[int]
    completion_ids: list[int]


def rebuild_tokenizer(
    out: Path,
    *,
    tokens: Sequence[str],
    token_types: Sequence[int],
    merges: Sequence[str],
    pre: str,
    bos: int | None,
    adds_bos: bool,
    eos: int,
    chat_template: str | None,
    normalizer: str | None = None,
    whole_tokens: Sequence[WholeToken] = (),
) -> None:
    """Write tokenizer files for a byte-level BPE vocabulary into a Hugging Face folder.

    Args:
        out: The folder.
        tokens: One byte-level string per id.
        token_types: One type of the GGUF specification per id.
        merges: Pairs joined by a space, best first.
        pre: GGUF's name of the pre-tokenizer.
        bos: Id of the token that begins a text, or None.
        adds_bos: Whether that token is put before every text.
        eos: Id of the token that ends a reply, which is also used for padding.
        chat_template: Jinja source, or None.
        normalizer: What is done to a text first, see ``ondevice.normalizer``; None for nothing.
        whole_tokens: Tokens that are found before that, and may drop the spaces around them.

    Raises:
        FddError: The pre-tokenizer is not one of ``PRE_TOKENIZERS``, the normalizer is not supported, or merges name
            tokens that are missing.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    if pre not in PRE_TOKENIZERS:
        raise FddError(f"The pre-tokenizer {pre!r} is not supported yet. Supported: {', '.join(PRE_TOKENIZERS)}.")
    if normalizer not in (None, NFC):
        raise FddError(f"The normalizer {normalizer!r} is not supported yet. Supported: {NFC}.")
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    try:
        backend = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=pairs))
    except Exception as error:  # the library has no narrower class
        raise FddError(f"The vocabulary is inconsistent: {error}.") from None
    if normalizer == NFC:
        backend.normalizer = normalizers.NFC()
    split = [pre_tokenizers.Digits(individual_digits=True)] if pre == "smollm" else []
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [*split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    backend.decoder = decoders.ByteLevel()
    is_special = {_CONTROL: True, _USER_DEFINED: False}
    strips = {token.text: {"lstrip": token.lstrip, "rstrip": token.rstrip} for token in whole_tokens}
    for token, kind in zip(tokens, token_types, strict=True):
        if kind in is_special:
            backend.add_tokens([AddedToken(token, special=is_special[kind], normalized=False, **strips.get(token, {}))])
    if adds_bos and bos is not None:
        begins = (tokens[bos], bos)
        backend.post_processor = processors.TemplateProcessing(single=f"{tokens[bos]} $A", special_tokens=[begins])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=None if bos is None else tokens[bos],
        eos_token=tokens[eos],
        pad_token=tokens[eos],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = chat_template
    tokenizer.save_pretrained(out)


def _load(folder: Path) -> PreTrainedTokenizerFast:
    from transformers import AutoTokenizer

    # Without this, transformers 4.57 mistakes every large vocabulary that it saved itself for one of Mistral's.
    return AutoTokenizer.from_pretrained(folder, use_fast=True, trust_remote_code=False, fix_mistral_regex=False)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Return the fast tokenizer of a Hugging Face folder.

    Raises:
        FddError: It has no tokenizer, one that takes too much time or memory, or no token that ends a reply.
    """
    # What the child would import, it would import again for each tokenizer.
    from transformers import AutoTokenizer  # noqa: F401

    if fault := fault_of_loading(_load, folder):
        raise FddError(f"The tokenizer of {folder} cannot be used: loading it {fault}.")
    try:
        tokenizer = _load(folder)
    except Exception as error:
        if named := _unknown_class(folder, str(error)):
            raise FddError(
                f"{folder / 'tokenizer_config.json'} names the tokenizer_class {named!r}, which this version of "
                "transformers does not have. If tokenizer.json is complete, change it to PreTrainedTokenizerFast; else "
                "save the tokenizer with transformers 4."
            ) from None
        # transformers raises OSError, ValueError or a Rust exception, depending on the fault of the files.
        raise FddError(f"The tokenizer of {folder} cannot be read: {error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # tokenizers, of a pattern; it exports no name for it
            raise
        raise FddError(f"The tokenizer of {folder} cannot be read: {error}") from None
    if tokenizer.eos_token_id is None:
        raise FddError(f"The tokenizer of {folder} has no eos token, so replies would never end.")
    return tokenizer


def _unknown_class(folder: Path, message: str) -> str | None:
    """Return the tokenizer class of a folder if an error of transformers says that there is no such class."""
    if "does not exist or is not currently imported" not in message:
        return None
    named = parse_json((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("tokenizer_class")
    return None if named is None else str(named)


def begins_texts(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Return whether a tokenizer puts its BOS before every text; the runtimes then do so too."""
    return tokenizer.bos_token_id is not None and encode_texts(tokenizer, ["a"])[0][:1] == [tokenizer.bos_token_id]


def encode_texts(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], *, special: bool = True) -> list[list[int]]:
    """Encode texts in a child process that is limited in time and memory: the patterns of a tokenizer may be hostile.

    Args:
        tokenizer: The tokenizer.
        texts: The texts.
        special: Whether the special tokens that the tokenizer adds are wanted.

    Raises:
        FddError: A text takes too much of either.
    """

    def encode(some: list[str]) -> list[list[int]]:
        ids: list[list[int]] = tokenizer(some, add_special_tokens=special)["input_ids"]
        return ids

    return _in_child(tokenizer, encode, list(texts))


def decode_ids(tokenizer: PreTrainedTokenizerFast, replies: Sequence[Sequence[int]]) -> list[str]:
    """Return the texts of ids, which is bounded as ``encode_texts``."""

    def decode(some: list[list[int]]) -> list[str]:
        return [str(tokenizer.decode(ids, clean_up_tokenization_spaces=False)) for ids in some]

    return _in_child(tokenizer, decode, [list(map(int, ids)) for ids in replies])


def _in_child(tokenizer: PreTrainedTokenizerFast, work: Callable[[Any], list[Any]], items: Sequence[Any]) -> list[Any]:
    pieces = [items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE)]
    try:
        return [result for results in bounded_map(work, pieces) for result in results]
    except BoundedError as error:
        what = f"{'' if error.over_limit else 'fails: '}{error}"
        raise FddError(
            f"The tokenizer of {tokenizer.name_or_path} cannot be used: for {_AT_ONCE} texts or fewer it {what}."
        ) from None


def encode_prompts(
    tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str], *, adds_bos: bool, decoder_start: int | None = None
) -> list[list[int]]:
    """Encode prompts as the runner does: BOS comes first if the vocabulary adds it and the text does not start with it.

    If the decoder has a start token (``decoder_start``), the prompt is the input of an encoder: it includes the special
    tokens that the tokenizer adds, and is followed by the start token.
    """
    if decoder_start is not None:
        return [[*ids, decoder_start] for ids in encode_texts(tokenizer, prompts)]
    ids = encode_texts(tokenizer, prompts, special=False)
    bos = tokenizer.bos_token
    adds = adds_bos and bos is not None
    return [
        [tokenizer.bos_token_id, *own] if begins_with_bos(text, adds_bos=adds, bos_text=bos) else own
        for text, own in zip(prompts, ids, strict=True)
    ]


def encode_examples(
    tokenizer: PreTrainedTokenizerFast,
    pairs: Sequence[tuple[str, str]],
    *,
    adds_bos: bool = False,
    decoder_start: int | None = None,
) -> list[Example]:
    """Encode (prompt, program) pairs; each completion ends with the end token.

    Prompt and program are encoded separately, as on the device, which is given the prompt and generates the rest.
    """
    if not pairs:
        return []
    eos = tokenizer.eos_token_id
    prompts = encode_prompts(tokenizer, [p for p, _ in pairs], adds_bos=adds_bos, decoder_start=decoder_start)
    completions = encode_texts(tokenizer, [c for _, c in pairs], special=False)
    return [Example(p, [*c, eos]) for p, c in zip(prompts, completions, strict=True)]
