"""Tiny models that are trained on the spot, for smoke runs and tests: real files and runtimes in seconds."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fdd_edge.students.tiny_vocab import train_codet5_like, train_gemma_like, train_qwen_like, train_smollm_like
from fdd_edge.students.tokenizer import Example, begins_texts, encode_examples

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["TINY_ARCHITECTURES", "TINY_SHAPE", "TinyArchitecture", "make_tiny_student"]

TINY_SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
}
"""Sizes that tiny models share, but for what ``TINY_ARCHITECTURES`` says."""

_STEPS = 400
_BATCH = 8
_LEARNING_RATE = 3e-3
_BIAS = 0.3


class TinyArchitecture(NamedTuple):
    """How the tiny model of one architecture is made.

    Attributes:
        config: Name of its config class in transformers.
        model: Name of its model class.
        train_tokenizer: Trains its fast tokenizer on texts.
        settings: Config keys; unusual on purpose if a default value would hide a mistake.
        biased: Config keys that add biases.
    """

    config: str
    model: str
    train_tokenizer: Callable[[Sequence[str]], PreTrainedTokenizerFast]
    settings: Mapping[str, int | float | list[str]]
    biased: Mapping[str, bool] = {}


TINY_ARCHITECTURES = {
    "llama": TinyArchitecture(
        "LlamaConfig",
        "LlamaForCausalLM",
        train_smollm_like,
        {},
        {"attention_bias": True, "mlp_bias": True},
    ),
    "qwen2": TinyArchitecture("Qwen2Config", "Qwen2ForCausalLM", train_qwen_like, {"rope_theta": 1e6}),
    "qwen3": TinyArchitecture("Qwen3Config", "Qwen3ForCausalLM", train_qwen_like, {"rope_theta": 5e5, "head_dim": 48}),
    "t5": TinyArchitecture(
        "T5Config",
        "T5ForConditionalGeneration",
        train_codet5_like,
        {"d_model": 128, "d_ff": 256, "num_layers": 2, "num_heads": 4, "d_kv": 32, "dropout_rate": 0.0},
    ),
    "gemma3": TinyArchitecture(
        "Gemma3TextConfig",
        "Gemma3ForCausalLM",
        train_gemma_like,
        {
            "head_dim": 48,
            "query_pre_attn_scalar": 32,
            "rope_theta": 1e6,
            "rope_local_base_freq": 5e3,
            "sliding_window": 16,
            "layer_types": ["sliding_attention", "full_attention"],
        },
    ),
}
"""The architectures of students, by the name that GGUF gives them."""


def make_tiny_student(
    out: Path,
    pairs: Sequence[tuple[str, str]],
    *,
    steps: int = _STEPS,
    architecture: str = "llama",
    tied: bool = True,
    biases: bool = False,
) -> None:
    """Write a Hugging Face folder of a tiny model, trained in full on (prompt, program) pairs.

    It learns enough for its text to depend on the question, and for some answers to be right.

    Args:
        out: The folder.
        pairs: Prompts, each with the program that answers it.
        steps: Optimizer steps.
        architecture: A key of ``TINY_ARCHITECTURES``.
        tied: Whether the head is the embedding matrix.
        biases: Whether a llama model gets biases; qwen2 always has them, the other architectures never.
    """
    import torch
    import transformers

    design = TINY_ARCHITECTURES[architecture]
    tokenizer = design.train_tokenizer([text for pair in pairs for text in pair])
    tokenizer.save_pretrained(out)
    # With one thread and a fixed seed, the same machine always makes the same student.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shape = {
        "vocab_size": len(tokenizer),
        **TINY_SHAPE,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": tied,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "decoder_start_token_id": tokenizer.pad_token_id,
    }
    config = getattr(transformers, design.config)(**{**shape, **design.settings, **(design.biased if biases else {})})
    model = getattr(transformers, design.model)(config)
    for name, weights in model.named_parameters():
        if name.endswith(".bias"):
            # Biases are initialised to zero, and a zero bias would not show a mistake.
            torch.nn.init.normal_(weights, std=_BIAS)
    start = model.config.decoder_start_token_id if model.config.is_encoder_decoder else None
    _fit(model, encode_examples(tokenizer, pairs, adds_bos=begins_texts(tokenizer), decoder_start=start), steps)
    model.save_pretrained(out, safe_serialization=True)
    torch.set_num_threads(threads)


def _fit(model: PreTrainedModel, examples: Sequence[Example], steps: int) -> None:
    """Train all weights, with the loss on completions only."""
    import torch

    from fdd_edge.students.batches import collate, collate_for_encoder, to_rows

    pad = collate_for_encoder if model.config.is_encoder_decoder else collate
    rng = random.Random(0)
    # Examples of similar length share a batch, so that little of it is padding.
    rows = sorted(examples, key=lambda e: len(e.prompt_ids) + len(e.completion_ids))
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        start = rng.randrange(max(1, len(rows) - _BATCH + 1))
        batch = rows[start : start + _BATCH]
        loss = model(**pad(to_rows(batch))).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
