"""A tiny llama made on the spot, for smoke runs and tests: real files and runtimes, seconds instead of minutes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fdd_edge.students.tokenizer import Example, encode_examples

__all__ = ["make_tiny_student"]

_VOCABULARY = 640
_STEPS = 400
_BATCH = 8
_LEARNING_RATE = 3e-3


def make_tiny_student(out: Path, pairs: Sequence[tuple[str, str]], *, steps: int = _STEPS) -> None:
    """Write a Hugging Face folder of a tiny llama, trained in full on (prompt, program) pairs.

    It learns enough that its text varies with the question and that some answers are right.

    Args:
        out: The folder.
        pairs: Prompts and the programs that answer them.
        steps: Optimizer steps.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_train_bpe([text for pair in pairs for text in pair]),
        eos_token="<|end|>",
        pad_token="<|end|>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.save_pretrained(out)
    # One thread and a fixed seed: the same machine makes the same student again.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    _fit(model, encode_examples(tokenizer, pairs), steps)
    model.save_pretrained(out, safe_serialization=True)
    torch.set_num_threads(threads)


def _train_bpe(texts: Sequence[str]) -> object:
    """Train a byte-level BPE that splits digits, as SmolLM2's does."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=["<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Runs of spaces become tokens, as in any real vocabulary: there pre-tokenizers differ before a digit.
    tokenizer.train_from_iterator([*texts, *["  3    x  4"] * len(texts)], trainer)
    return tokenizer


def _fit(model: Any, examples: Sequence[Example], steps: int) -> None:
    """Train all weights, the loss on completions only."""
    import torch

    rng = random.Random(0)
    # Neighbours in length share a batch, so that little of it is padding.
    rows = sorted(examples, key=lambda e: len(e.prompt_ids) + len(e.completion_ids))
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        start = rng.randrange(max(1, len(rows) - _BATCH + 1))
        batch = rows[start : start + _BATCH]
        width = max(len(e.prompt_ids) + len(e.completion_ids) for e in batch)
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        labels = torch.full_like(ids, -100)
        for i, example in enumerate(batch):
            text = torch.tensor([*example.prompt_ids, *example.completion_ids])
            ids[i, : len(text)] = text
            labels[i, len(example.prompt_ids) : len(text)] = text[len(example.prompt_ids) :]
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
