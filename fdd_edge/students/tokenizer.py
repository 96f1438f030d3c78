"""The student's tokenizer, rebuilt from GGUF tables so that it produces the ids that the device will see.

The tokenizer that transformers rebuilds from a GGUF file drops the pre-tokenizer (SmolLM2's splits digits), so its ids
differ from llama.cpp's if two spaces precede a digit, and it has no end or padding token.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fdd_edge.errors import FddError
from fdd_edge.ondevice.normalizer import NFC
from fdd_edge.ondevice.prompt import begins_with_bos

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = [
    "PRE_TOKENIZERS",
    "Example",
    "begins_texts",
    "encode_examples",
    "encode_prompts",
    "load_tokenizer",
    "rebuild_tokenizer",
]

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

    Raises:
        FddError: The pre-tokenizer is not one of ``PRE_TOKENIZERS``, or the normalizer is not supported.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    if pre not in PRE_TOKENIZERS:
        raise FddError(f"The pre-tokenizer {pre!r} is not supported yet. Supported: {', '.join(PRE_TOKENIZERS)}.")
    if normalizer not in (None, NFC):
        raise FddError(f"The normalizer {normalizer!r} is not supported yet. Supported: {NFC}.")
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    backend = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=pairs))
    if normalizer == NFC:
        backend.normalizer = normalizers.NFC()
    split = [pre_tokenizers.Digits(individual_digits=True)] if pre == "smollm" else []
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [*split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    backend.decoder = decoders.ByteLevel()
    is_special = {_CONTROL: True, _USER_DEFINED: False}
    for token, kind in zip(tokens, token_types, strict=True):
        if kind in is_special:
            backend.add_tokens([AddedToken(token, special=is_special[kind], normalized=False)])
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


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Return the fast tokenizer of a Hugging Face folder.

    Raises:
        FddError: It has no tokenizer, or no token that ends a reply.
    """
    from transformers import AutoTokenizer

    try:
        # Without this, transformers 4.57 mistakes every large vocabulary that it saved itself for one of Mistral's.
        tokenizer = AutoTokenizer.from_pretrained(
            folder, use_fast=True, trust_remote_code=False, fix_mistral_regex=False
        )
    except Exception as error:
        if named := _unknown_class(folder, str(error)):
            raise FddError(
                f"{folder / 'tokenizer_config.json'} names the tokenizer_class {named!r}, which this version of "
                "transformers does not have. If tokenizer.json is complete, change it to PreTrainedTokenizerFast; else "
                "save the tokenizer with transformers 4."
            ) from None
        # transformers raises OSError, ValueError or a Rust exception, depending on the fault of the files.
        raise FddError(f"The tokenizer of {folder} cannot be read: {error}") from error
    if tokenizer.eos_token_id is None:
        raise FddError(f"The tokenizer of {folder} has no eos token, so replies would never end.")
    return tokenizer


def _unknown_class(folder: Path, message: str) -> str | None:
    """Return the tokenizer class of a folder if an error of transformers says that there is no such class."""
    if "does not exist or is not currently imported" not in message:
        return None
    named = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("tokenizer_class")
    return None if named is None else str(named)


def begins_texts(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Return whether a tokenizer puts its BOS before every text; the runtimes then do so too."""
    return tokenizer.bos_token_id is not None and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]


def encode_prompts(
    tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str], *, adds_bos: bool, decoder_start: int | None = None
) -> list[list[int]]:
    """Encode prompts as the runner does: BOS comes first if the vocabulary adds it and the text does not start with it.

    If the decoder has a start token (``decoder_start``), the prompt is the input of an encoder: it includes the special
    tokens that the tokenizer adds, and is followed by the start token.
    """
    if decoder_start is not None:
        return [[*ids, decoder_start] for ids in tokenizer(list(prompts))["input_ids"]]
    ids: list[list[int]] = tokenizer(list(prompts), add_special_tokens=False)["input_ids"]
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
    completions = tokenizer([c for _, c in pairs], add_special_tokens=False)["input_ids"]
    return [Example(p, [*c, eos]) for p, c in zip(prompts, completions, strict=True)]
