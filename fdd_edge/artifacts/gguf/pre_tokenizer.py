"""Finds the pre-tokenizer of llama.cpp that gives a tokenizer's ids: by comparing them, never by guessing.

The texts are a hard one, and tokens at which it shows whether words are looked up before their pieces are merged
(``ignore_merges``): llama.cpp knows that by the name of the pre-tokenizer only. ``llama-bpe`` does so, ``smollm`` not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from fdd_edge.artifacts.gguf.llama_vocab import DeviceVocab
from fdd_edge.artifacts.vocab_protocol import FolderTokenizer
from fdd_edge.errors import FddError
from fdd_edge.ondevice.bounded import BoundedError, bounded_map

__all__ = ["HARD_TEXT", "PRE_TOKENIZERS", "encode", "find_pre", "same_ids", "wanted_ids", "why_none"]

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

_MOST_PROBES = 200
"""Tokens that are compared. Llama 3's vocabulary has fewer; a faulty one may consist of them."""


def encode(tokenizer: FolderTokenizer, text: str, *, special: bool) -> list[int]:
    """Return a tokenizer's ids of a text; its patterns may be a stranger's."""

    def ids_of(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=special)["input_ids"])

    return _bounded(tokenizer, ids_of, text)


_Result = TypeVar("_Result")


def _bounded(tokenizer: FolderTokenizer, work: Callable[[str], _Result], text: str) -> _Result:
    try:
        result: list[_Result] = bounded_map(work, [text])
    except BoundedError as error:
        what = f"{'' if error.over_limit else 'fails: '}{error}"
        raise FddError(f"The tokenizer of {tokenizer.name_or_path} cannot be used: for {text!r} it {what}.") from None
    return result[0]


def wanted_ids(tokenizer: FolderTokenizer) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Return the ids of the hard text, and those of tokens that show whether words are looked up before merging."""
    texts = _bounded(tokenizer, lambda _: _lookup_tokens(tokenizer), "")
    ids = _bounded(tokenizer, lambda _: [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts], "")
    return {HARD_TEXT: encode(tokenizer, HARD_TEXT, special=False)}, dict(zip(texts, ids, strict=True))


def same_ids(device: DeviceVocab, wanted: Mapping[str, Sequence[int]]) -> bool:
    """Return whether a vocabulary gives the wanted ids of all texts."""
    return all(device.encode(text) == ids for text, ids in wanted.items())


def why_none(
    out: Path, wanted: Mapping[str, Sequence[int]], looked_up: Mapping[str, Sequence[int]], folder: Path
) -> FddError:
    """Return the sentence for a tokenizer to which none of the pre-tokenizers fits."""
    if looked_up and (nearest := find_pre(out, wanted)) is not None:
        with DeviceVocab(out, pre=nearest) as device:
            text = next(text for text, ids in looked_up.items() if device.encode(text) != ids)
        looks = "looks a word up" if len(looked_up[text]) == 1 else "merges the pieces of a word"
        return FddError(
            f"The tokenizer of {folder} {looks} (ignore_merges in tokenizer.json), and llama.cpp does not do so with "
            f"the pre-tokenizer that fits ({nearest}): a GGUF file would read {text[:60]!r} as other tokens. Export it "
            "as ONNX: -r onnx-int8-avx2."
        )
    return FddError(
        f"No pre-tokenizer of llama.cpp gives the same ids as the tokenizer of {folder}. "
        f"Tried: {', '.join(PRE_TOKENIZERS)}."
    )


def find_pre(vocab: Path, wanted: Mapping[str, Sequence[int]]) -> str | None:
    """Return the first pre-tokenizer that gives the wanted ids of all texts, or None.

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
            if same_ids(device, wanted):
                return pre
    if fault is not None and not readable:
        raise fault
    return None


def _lookup_tokens(tokenizer: FolderTokenizer) -> list[str]:
    """Return texts of tokens that the merges alone do not reach. Runs a stranger's patterns, and changes the model."""
    backend = tokenizer.backend_tokenizer
    # What is taken from a tokenizer is the model itself, not a copy.
    model = backend.model
    model.ignore_merges = False
    tokens = backend.get_vocab(with_added_tokens=False).items()
    not_merged = sorted(number for token, number in tokens if len(model.tokenize(token)) != 1)
    texts = backend.decode_batch([[number] for number in not_merged], skip_special_tokens=False)
    texts = [text for text in texts if text and "\ufffd" not in text]
    ids = []
    for looks_up in (False, True):
        model.ignore_merges = looks_up
        ids.append([encoding.ids for encoding in backend.encode_batch(texts, add_special_tokens=False)])
    return [text for text, merged, looked_up in zip(texts, *ids, strict=True) if merged != looked_up][:_MOST_PROBES]
