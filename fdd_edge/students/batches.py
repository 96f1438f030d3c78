"""Training examples as padded batches of texts of similar length."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, TypedDict

from torch.utils.data import Sampler

from fdd_edge.students.fast_forward import IGNORED
from fdd_edge.students.mixture import Mixture
from fdd_edge.students.tokenizer import Example

if TYPE_CHECKING:
    import torch

__all__ = ["LengthGroupedSampler", "TrainingRow", "collate", "collate_for_encoder", "to_rows"]

_GROUP = 50
"""Batches that are sorted by length together: enough for little padding, few enough for a random order."""


class TrainingRow(TypedDict):
    """One row of the trainer's dataset; the trainer wants dictionaries."""

    input_ids: list[int]
    prompt_length: int


class LengthGroupedSampler(Sampler[int]):
    """Draws every example once per epoch, or those of a mixture, so that each batch holds texts of similar length.

    The order is a function of the seed, the epoch and the total batch size: the number of processes that share a batch
    does not change it, and a resumed run continues at the right example.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int, mixture: Mixture | None = None) -> None:
        self._lengths = lengths
        self._batch = batch
        self._seed = seed
        self._mixture = mixture
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that is drawn next."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Return the number of examples in an epoch."""
        return len(self._lengths) if self._mixture is None else len(self._mixture)

    def __iter__(self) -> Iterator[int]:
        """Yield the indices of the examples."""
        rng = random.Random(f"{self._seed}:{self._epoch}")
        order = list(range(len(self._lengths))) if self._mixture is None else self._mixture.epoch(self._epoch)
        rng.shuffle(order)
        size = self._batch * _GROUP
        batches: list[list[int]] = []
        for start in range(0, len(order), size):
            group = sorted(order[start : start + size], key=self._lengths.__getitem__)
            batches += [group[i : i + self._batch] for i in range(0, len(group), self._batch)]
        whole = [batch for batch in batches if len(batch) == self._batch]
        rng.shuffle(whole)
        # An incomplete batch must be the last one, or the boundaries of later batches would shift.
        for batch in [*whole, *(b for b in batches if len(b) < self._batch)]:
            yield from batch

    def times_drawn(self, steps: int) -> list[int]:
        """Return how often each example is drawn in the first ``steps`` steps."""
        times, epoch = [0] * len(self._lengths), self._epoch
        steps_per_epoch = -(-len(self) // self._batch)
        for number in range(-(-steps // steps_per_epoch)):
            self.set_epoch(number)
            for index in islice(self, (steps - number * steps_per_epoch) * self._batch):
                times[index] += 1
        self.set_epoch(epoch)
        return times


def to_rows(examples: Sequence[Example]) -> list[TrainingRow]:
    """Return examples as the rows of a dataset for the trainer."""
    return [{"input_ids": [*e.prompt_ids, *e.completion_ids], "prompt_length": len(e.prompt_ids)} for e in examples]


def collate_for_encoder(rows: Sequence[TrainingRow]) -> dict[str, torch.Tensor]:
    """Pad on the right, for an encoder-decoder: the last id of a prompt is the decoder's start token.

    Returns:
        ``input_ids`` and ``attention_mask`` for the encoder, ``decoder_input_ids`` and ``labels`` for the decoder:
        int64, shape (rows, longest text of that side).
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    texts = [torch.tensor(row["input_ids"]) for row in rows]
    starts = [row["prompt_length"] - 1 for row in rows]
    sources = [text[:at] for text, at in zip(texts, starts, strict=True)]
    decoder_inputs = [text[at:-1] for text, at in zip(texts, starts, strict=True)]
    labels = [text[at + 1 :] for text, at in zip(texts, starts, strict=True)]
    return {
        "input_ids": pad_sequence(sources, batch_first=True),
        "attention_mask": pad_sequence([torch.ones_like(text) for text in sources], batch_first=True),
        "decoder_input_ids": pad_sequence(decoder_inputs, batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
    }


def collate(rows: Sequence[TrainingRow]) -> dict[str, torch.Tensor]:
    """Pad on the right; the labels are the ids of the completion.

    Returns:
        ``input_ids`` and ``labels``: int64, shape (rows, longest text).
    """
    import torch

    width = max(len(row["input_ids"]) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    labels = torch.full_like(ids, IGNORED)
    for i, row in enumerate(rows):
        n, prompt = len(row["input_ids"]), row["prompt_length"]
        ids[i, :n] = torch.tensor(row["input_ids"])
        labels[i, prompt:n] = ids[i, prompt:n]
    return {"input_ids": ids, "labels": labels}
