"""Vocabularies of tiny students, trained on the spot, in the style of SmolLM2, Qwen, CodeT5 and Gemma."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.pre_tokenizers import PreTokenizer
    from transformers import PreTrainedTokenizerFast

__all__ = ["SIZE", "train_codet5_like", "train_gemma_like", "train_qwen_like", "train_smollm_like"]

SIZE = 640
"""Number of tokens of a tiny vocabulary, including all 256 bytes."""

_QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train_smollm_like(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Return a fast tokenizer: byte-level BPE that splits digits."""
    from tokenizers import pre_tokenizers

    split = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    return _wrap(_train_byte_level(texts, split, ["<|end|>"]), eos_token="<|end|>", pad_token="<|end|>")


def train_qwen_like(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Return a fast tokenizer: byte-level BPE after Qwen2's regular expression, with its chat tokens."""
    from tokenizers import Regex, pre_tokenizers

    split = [
        pre_tokenizers.Split(Regex(_QWEN_SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    return _wrap(_train_byte_level(texts, split, special), eos_token="<|im_end|>", pad_token="<|endoftext|>")


def train_codet5_like(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Return a fast tokenizer: RoBERTa's byte-level BPE, which puts ``<s>`` and ``</s>`` around a text."""
    from tokenizers import pre_tokenizers, processors

    special = ["<pad>", "<s>", "</s>"]
    backend = _train_byte_level(texts, [pre_tokenizers.ByteLevel(add_prefix_space=False)], special)
    begin, end = (("<s>", backend.token_to_id("<s>")), ("</s>", backend.token_to_id("</s>")))
    backend.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[begin, end])
    return _wrap(backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


def train_gemma_like(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Return a fast tokenizer in the form of Gemma's ``tokenizer.json``.

    This is SentencePiece's BPE as transformers converts it: spaces are ``▁``, there is no pre-tokenizer, every pair
    that forms a token is a merge, unknown characters fall back to bytes, and ``<bos>`` begins a text.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Replace(" ", "▁")
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("▁", behavior="merged_with_next"),
            pre_tokenizers.Split("\n", behavior="isolated"),
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    runs = ["\n\n", "▁▁", "▁▁▁"]
    room = SIZE - len(special) - len(fallback) - len(runs)
    learner.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=room, show_progress=False))
    learned = json.loads(learner.to_str())["model"]
    merged = ["".join(pair) for pair in learned["merges"]]
    characters = sorted(learned["vocab"].keys() - set(merged))
    vocab = {token: i for i, token in enumerate([*special, *fallback, *runs, *merged, *characters])}
    pairs = [
        (token[:cut], token[cut:])
        for token in [*runs, *merged]
        for cut in range(1, len(token))
        if token[:cut] in vocab and token[cut:] in vocab
    ]
    backend = Tokenizer(models.BPE(vocab=vocab, merges=pairs, byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    backend.add_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    backend.add_tokens([AddedToken(token, special=False, normalized=False) for token in runs])
    begin = [("<bos>", vocab["<bos>"])]
    backend.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=begin)
    return _wrap(backend, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>")


def _train_byte_level(texts: Sequence[str], split: Sequence[PreTokenizer], special: Sequence[str]) -> Tokenizer:
    """Train a byte-level BPE."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(list(split))
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Runs of spaces become tokens, as in real vocabularies, because pre-tokenizers differ on spaces before a digit.
    tokenizer.train_from_iterator(itertools.chain(texts, ["  3    x  4"] * len(texts)), trainer)
    return tokenizer


def _wrap(backend: Tokenizer, **special: str) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False, **special)
