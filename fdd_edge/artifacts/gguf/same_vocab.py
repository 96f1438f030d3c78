"""Whether two vocabularies make the same ids and prompts of every text, whatever else their files say."""

from __future__ import annotations

from pathlib import Path

from fdd_edge.artifacts.gguf.llama_vocab import DeviceVocab
from fdd_edge.artifacts.gguf.pre_tokenizer import HARD_TEXT
from fdd_edge.artifacts.gguf.reader import field, open_gguf

__all__ = ["same_vocab"]

_MERGES = "tokenizer.ggml.merges"


def same_vocab(one: Path, other: Path) -> bool:
    """Compare two vocabulary files: tokens, merges, special ids, chat template, normalizer, ids of a hard text."""
    if field(open_gguf(one), _MERGES) != field(open_gguf(other), _MERGES):
        return False
    with DeviceVocab(one) as a, DeviceVocab(other) as b:
        return _facts(a) == _facts(b) and a.pieces == b.pieces


def _facts(vocab: DeviceVocab) -> tuple[object, ...]:
    ends = (vocab.eos, vocab.eos_ids, vocab.adds_bos, vocab.bos_text if vocab.adds_bos else "")
    return (*ends, vocab.chat_template, vocab.normalizer, vocab.whole_tokens, vocab.encode(HARD_TEXT))
